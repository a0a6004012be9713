--- The parts of a request's URL.

local find, sub, gsub = string.find, string.sub, string.gsub

local M = {}

local function character(digits)
    return string.char(tonumber(digits, 16))
end

-- What is no escape stays as it is.
local function unescape(text)
    if find(text, "+", 1, true) then
        text = gsub(text, "+", " ")
    end
    if find(text, "%", 1, true) then
        text = gsub(text, "%%(%x%x)", character)
    end
    return text
end

--- Splits a URL at its question mark.
---@param url string
---@return string path   unescaped
---@return string query  as it is; empty, if there is none
function M.parse(url)
    local mark = find(url, "?", 1, true)
    if not mark then
        return unescape(url), ""
    end
    return unescape(sub(url, 1, mark - 1)), sub(url, mark + 1)
end

--- The names and values of a query. A name that comes more than once has a list of values.
---@param query string
---@return table<string, string|string[]>
function M.parse_query(query)
    local found = {}
    local from = 1
    while true do
        local equal = find(query, "=", from, true)
        if not equal then
            return found
        end
        local after = find(query, "&", equal + 1, true) or #query + 1
        local name = unescape(sub(query, from, equal - 1))
        local value = unescape(sub(query, equal + 1, after - 1))
        local known = found[name]
        if known == nil then
            found[name] = value
        elseif type(known) == "table" then
            known[#known + 1] = value
        else
            found[name] = { known, value }
        end
        from = after + 1
    end
end

return M

--- The protocol of redis, RESP: commands as bytes, and how replies are read.
---
--- Replies come from the network, so nothing in them is taken for granted: sizes and counts are checked before anything
--- is waited for, and what is malformed is an error, after which the connection is of no use.

local byte = string.byte
local find = string.find
local sub = string.sub
local tonumber = tonumber

local resp = {}

--- Pieces up to this size have their headers kept, and the lines that announce them. Bytes.
local CACHED <const> = 1024

local headers = {}
local sizes = {}

-- What goes before a piece of so many bytes, and ends the line before.
local function header(size)
    local text = headers[size]
    if not text then
        text = "\r\n$" .. size .. "\r\n"
        if size <= CACHED then
            headers[size] = text
        end
    end
    return text
end

--- Appends a command to what is to be sent.
---@param out string[]
---@param name string?  the command, if it is not among the words
---@param words any[]   its arguments; whatever they are, their text is sent
---@param count integer  how many words there are
function resp.append(out, name, words, count)
    local at = #out + 1
    if name then
        out[at] = "*" .. count + 1
        out[at + 1] = header(#name)
        out[at + 2] = name
        at = at + 3
    else
        out[at] = "*" .. count
        at = at + 1
    end
    for i = 1, count do
        local word = words[i]
        if word == nil then
            error(("argument %d of %s is nil"):format(name and i or i - 1, name or tostring(words[1])), 0)
        end
        word = tostring(word)
        out[at] = header(#word)
        out[at + 1] = word
        at = at + 2
    end
    out[at] = "\r\n"
end

---@class skynet.db.redis.limits
---@field line integer?   the longest line: a status, an error, a number. Bytes
---@field bulk integer?   the longest string. Bytes
---@field total integer?  all lines and strings of one reply. Bytes
---@field count integer?  values in one reply, with those in lists
---@field depth integer?  lists in lists

--- What a reply may have unless a connection says otherwise.
resp.LIMITS = {
    line = 64 * 1024,
    -- The same as redis's own limit, proto-max-bulk-len.
    bulk = 512 * 1024 * 1024,
    total = 1024 * 1024 * 1024,
    count = 16 * 1024 * 1024,
    depth = 64,
}

local function malformed(what)
    error(("redis: malformed reply: %q"):format(sub(what, 1, 64)), 0)
end

local function too_much(what, limit)
    error(("redis: a reply with more than %d %s"):format(limit, what), 0)
end

-- The number in a line, behind its first byte.
local function number(line)
    local value = find(line, "^[+-]?%d+$", 2) and tonumber(sub(line, 2))
    if math.type(value) ~= "integer" then
        malformed(line)
    end
    return value
end

local STATUS <const> = byte "+"
local ERROR <const> = byte "-"
local INTEGER <const> = byte ":"
local STRING <const> = byte "$"
local LIST <const> = byte "*"

--- A function that reads one reply: whether it is no error, then its value. A string or list that does not exist is
--- nil. A list with an error in it is one, too.
---@param limits skynet.db.redis.limits?
---@return fun(so: skynet.socketchannel.stream): boolean, any
function resp.reader(limits)
    limits = limits or resp.LIMITS
    local longest_line = limits.line or resp.LIMITS.line
    local longest_bulk = limits.bulk or resp.LIMITS.bulk
    local total = limits.total or resp.LIMITS.total
    local most_values = limits.count or resp.LIMITS.count
    local deepest = limits.depth or resp.LIMITS.depth

    -- `used` counts what the reply has had so far: bytes, and values that are announced.
    local function spend(used, bytes)
        used.bytes = used.bytes + bytes
        if used.bytes > total then
            too_much("bytes", total)
        end
    end

    local read

    local function read_list(so, count, used, depth)
        if count > most_values - used.values then
            too_much("values", most_values)
        elseif depth > deepest then
            too_much("levels", deepest)
        end
        used.values = used.values + count
        local list = {}
        local good = true
        for i = 1, count do
            local ok
            ok, list[i] = read(so, used, depth)
            good = good and ok
        end
        return good, list
    end

    local function read_string(so, size, used)
        if size > longest_bulk then
            too_much("bytes in a string", longest_bulk)
        end
        if used then
            spend(used, size)
        end
        local text = so:read(size + 2)
        if sub(text, -2) ~= "\r\n" then
            malformed(text)
        end
        return true, sub(text, 1, -3)
    end

    function read(so, used, depth)
        local line = so:readline("\r\n", longest_line)
        if used then
            spend(used, #line)
        end
        local short = sizes[line]
        if short then
            return read_string(so, short, used)
        end
        local kind = byte(line)
        if kind == STRING or kind == LIST then
            local size = number(line)
            if size == -1 then
                return true, nil
            elseif size < 0 then
                malformed(line)
            elseif kind == STRING then
                if size <= CACHED and line == "$" .. size then
                    sizes[line] = size
                end
                return read_string(so, size, used)
            end
            return read_list(so, size, used or { bytes = 0, values = 0 }, (depth or 0) + 1)
        elseif kind == INTEGER then
            return true, number(line)
        elseif kind == STATUS then
            return true, sub(line, 2)
        elseif kind == ERROR then
            return false, sub(line, 2)
        end
        malformed(line)
    end

    return function(so)
        return read(so)
    end
end

return resp

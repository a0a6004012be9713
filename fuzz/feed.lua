-- Bytes as a connection gives them, for targets whose parsers read.

local feed = {}

--- A `read` function of what is left of the bytes: so many, without a size as many as come
--- at once. At the end it raises what is given.
---@param bytes string
---@param at_once integer  how many come at once
---@param over any
---@return fun(size: integer?): string
function feed.reader(bytes, at_once, over)
    local at = 1
    return function(size)
        local last = at + (size or at_once) - 1
        if at > #bytes or size and last > #bytes then
            at = #bytes + 1
            error(over, 0)
        end
        local piece = bytes:sub(at, last)
        at = at + #piece
        return piece
    end
end

--- A module of which every function does nothing, for parsers that need more than bytes
--- where they are not driven.
---@param name string
---@param functions table?  what does something
function feed.stub(name, functions)
    package.loaded[name] = setmetatable(functions or {}, {
        __index = function()
            return function() end
        end,
    })
end

return feed

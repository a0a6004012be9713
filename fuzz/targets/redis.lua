-- skynet.db.redis.resp: any bytes as replies of a server.

local resp = require "skynet.db.redis.resp"

local LIMITS <const> = { line = 64, bulk = 100, total = 300, count = 20, depth = 4 }
local read_reply = resp.reader(LIMITS)

-- What a channel gives to the function that reads a response.
local function stream(bytes)
    local at = 1
    return {
        readline = function(_, separator, longest)
            local first, last = bytes:find(separator, at, true)
            if not first or first - at > longest then
                error("no line", 0)
            end
            local line = bytes:sub(at, first - 1)
            at = last + 1
            return line
        end,
        read = function(_, size)
            local piece = bytes:sub(at, at + size - 1)
            if #piece < size then
                error("no more", 0)
            end
            at = at + size
            return piece
        end,
    }
end

local function run(input)
    local so = stream(input)
    repeat
        -- A reply that reads nothing would be read for ever: a line is read at least.
        local ok, good = pcall(read_reply, so)
        assert(not ok or type(good) == "boolean")
    until not ok
end

return {
    parser = {
        "lualib/skynet/db/redis/resp.lua:number",
        "lualib/skynet/db/redis/resp.lua:malformed",
        "lualib/skynet/db/redis/resp.lua:too_much",
        "lualib/skynet/db/redis/resp.lua:spend",
        "lualib/skynet/db/redis/resp.lua:read_list",
        "lualib/skynet/db/redis/resp.lua:read_string",
        "lualib/skynet/db/redis/resp.lua:read",
    },
    words = { "\r\n", "+OK\r\n", "-ERR\r\n", ":12\r\n", "$3\r\nabc\r\n", "$-1\r\n", "*2\r\n", "*-1\r\n", "*0\r\n", "$0\r\n\r\n" },
    longest = 300,
    memory = 32768,
    memory_per_byte = 256,
    run = run,
}

-- skynet.db.redis.resp: any bytes as replies of a redis server.

local resp = require "skynet.db.redis.resp"

local LIMITS <const> = { line = 100, bulk = 200, total = 500, count = 40, depth = 5 }

-- What response functions get, with bytes that have come already.
local stream = {}
stream.__index = stream

function stream:read(size)
    assert(size <= 202, "more bytes than a string may have")
    local at = self.at
    if at + size - 1 > #self.bytes then
        error("stream: the end", 0)
    end
    self.at = at + size
    return self.bytes:sub(at, at + size - 1)
end

function stream:readline(separator, limit)
    assert(limit == 100)
    local from, to = self.bytes:find(separator, self.at, true)
    if not from or from - self.at > limit then
        error("stream: no line", 0)
    end
    local line = self.bytes:sub(self.at, from - 1)
    self.at = to + 1
    return line
end

local function stream_of(bytes)
    return setmetatable({ bytes = bytes, at = 1 }, stream)
end

local function run(input)
    local read = resp.reader(LIMITS)
    local so = stream_of(input)
    repeat
        local done, good, value = pcall(read, so)
        if done then
            assert(type(good) == "boolean")
            -- What is a string can be sent, and is the same when it comes back.
            if type(value) == "string" then
                local out = {}
                resp.append(out, "ECHO", { value }, 1)
                resp.append(out, nil, { value, #value }, 2)
                local back = stream_of(table.concat(out))
                local _, first = read(back)
                local _, second = read(back)
                assert(first[1] == "ECHO" and first[2] == value)
                assert(second[1] == value and second[2] == tostring(#value))
            end
        else
            assert(good:find "^redis: " or good:find "^stream: ", good)
        end
    until not done
    local sent, reason = pcall(resp.append, {}, "SET", { "key", nil }, 2)
    assert(not sent and reason == "argument 2 of SET is nil")
end

return {
    parser = { "lualib/skynet/db/redis/resp.lua" },
    words = { "\r\n", "*1", "*0\r\n", "$-1\r\n", "$1\r\na\r\n", ":1\r\n", "+O\r\n", "-E\r\n", "*3", "$200", "$201" },
    longest = 600,
    memory = 65536,
    memory_per_byte = 256,
    run = run,
}

--- What skynet.db.redis makes of replies: right ones, also in pieces, and those that no redis sends.

local skynet = require "skynet"
local socket = require "skynet.socket"
local redis = require "skynet.db.redis"
local resp = require "skynet.db.redis.resp"
local check = require "socket_check"

local equal, fails = check.equal, check.fails
local cases = {}
local function case(name, func)
    table.insert(cases, { name, func })
end

-- Reads from a string as response functions read from a connection.
local function stream(bytes)
    local at = 1
    local so = { most = 0 }
    function so.read(_, size)
        so.most = math.max(so.most, size)
        if at + size - 1 > #bytes then
            error "cut short"
        end
        at = at + size
        return bytes:sub(at - size, at - 1)
    end
    function so.readline(_, separator, limit)
        local from, to = bytes:find(separator, at, true)
        if (from or #bytes + 1) - at > limit then
            error "a long line"
        elseif not from then
            error "cut short"
        end
        local line = bytes:sub(at, from - 1)
        at = to + 1
        return line
    end
    return so
end

-- A reply as text, to compare.
local function show(value)
    if type(value) ~= "table" then
        return math.type(value) and "#" .. value or tostring(value)
    end
    local shown = {}
    local last = 0
    for i in pairs(value) do
        last = math.max(last, i)
    end
    for i = 1, last do
        shown[i] = show(value[i])
    end
    return "{" .. table.concat(shown, " ") .. "}"
end

local right = {
    { "+OK\r\n", true, "OK" },
    { "+\r\n", true, "" },
    { "-ERR what\r\n", false, "ERR what" },
    { ":12\r\n", true, "#12" },
    { ":-9223372036854775808\r\n", true, "#" .. math.mininteger },
    { "$5\r\na\r\n\0b\r\n", true, "a\r\n\0b" },
    { "$0\r\n\r\n", true, "" },
    { "$-1\r\n", true, "nil" },
    { "*-1\r\n", true, "nil" },
    { "*0\r\n", true, "{}" },
    { "*3\r\n:1\r\n$-1\r\n*2\r\n+a\r\n*1\r\n:2\r\n", true, "{#1 nil {a {#2}}}" },
    { "*2\r\n-ERR in it\r\n:3\r\n", false, "{ERR in it #3}" },
}

case("replies", function()
    local read = resp.reader()
    for _, expected in ipairs(right) do
        local ok, value = read(stream(expected[1]))
        equal(ok, expected[2], ("%q"):format(expected[1]))
        equal(show(value), expected[3], ("%q"):format(expected[1]))
    end
end)

local wrong = {
    "\r\n", "OK\r\n", "%1\r\n+a\r\n+b\r\n", "_\r\n", "$\r\n\r\n", "$a\r\n", "$-2\r\n", "*-2\r\n", "*1.5\r\n",
    "$0x1\r\na\r\n", "$ 1\r\na\r\n",
    ":\r\n", ":one\r\n", ":1e3\r\n", ":9223372036854775808\r\n", "$1\r\nabc", "$99999999999999999999\r\n",
}

case("malformed replies", function()
    local read = resp.reader()
    for _, bytes in ipairs(wrong) do
        fails("redis: malformed reply", read, stream(bytes))
    end
end)

case("limits", function()
    local read = resp.reader { line = 10, bulk = 20, total = 50, count = 6, depth = 3 }
    local function fits(bytes)
        equal(read(stream(bytes)), true, bytes)
    end
    fits("+123456789\r\n")
    fails("a long line", read, stream "+1234567890\r\n")
    fits("$20\r\n" .. ("x"):rep(20) .. "\r\n")
    local so = stream("$21\r\n" .. ("x"):rep(21) .. "\r\n")
    fails("more than 20 bytes in a string", read, so)
    equal(so.most, 0, "what it has tried to read")
    fits("*2\r\n" .. ("$20\r\n" .. ("x"):rep(20) .. "\r\n"):rep(2))
    fails("more than 50 bytes", read, stream("*3\r\n" .. ("$20\r\n" .. ("x"):rep(20) .. "\r\n"):rep(3)))
    fails("more than 50 bytes", read, stream("*6\r\n" .. ("+12345678\r\n"):rep(6)))
    fits("*2\r\n*3\r\n" .. (":1\r\n"):rep(3) .. "*1\r\n:1\r\n")
    fails("more than 6 values", read, stream("*7\r\n" .. (":1\r\n"):rep(7)))
    fails("more than 6 values", read, stream("*2\r\n*5\r\n" .. (":1\r\n"):rep(5) .. ":1\r\n"))
    fits("*1\r\n*1\r\n*1\r\n:1\r\n")
    fails("more than 3 levels", read, stream "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n")
    -- Those that are there without any being set.
    read = resp.reader()
    fails("levels", read, stream(("*1\r\n"):rep(100000)))
    fails("values", read, stream "*100000000\r\n")
    fails("values", read, stream "*1\r\n*9223372036854775807\r\n")
    fails("bytes in a string", read, stream "$600000000\r\n")
end)

case("any bytes are a reply or an error", function()
    local seeds = {}
    for i, seed in ipairs(right) do
        seeds[i] = seed[1]
    end
    table.move(wrong, 1, #wrong, #seeds + 1, seeds)
    local parts = { "\r\n", "*", "$", ":", "-", "+", "1", "0", "9", "*2\r\n", "$3\r\nabc\r\n", ":1\r\n", "\r", "\n" }
    local read = resp.reader { line = 64, bulk = 256, total = 1024, count = 64, depth = 8 }
    math.randomseed(7)
    local replies, errors = 0, 0
    for _ = 1, 50000 do
        local bytes = seeds[math.random(#seeds)]
        for _ = 1, math.random(4) do
            local at = math.random(0, #bytes)
            local cut = math.random(0, 2)
            bytes = bytes:sub(1, at) .. parts[math.random(#parts)] .. bytes:sub(at + 1 + cut)
        end
        local so = stream(bytes)
        local ok, good = pcall(read, so)
        assert(so.most <= 258, "it has asked for more than a string may have")
        if ok then
            assert(type(good) == "boolean")
            replies = replies + 1
        else
            errors = errors + 1
        end
    end
    assert(replies > 0 and errors > 0)
end)

-- A server that sends one reply to each connection, in pieces of a size, whatever it is asked.
local function serve(replies, piece)
    local id, _, port = socket.listen("127.0.0.1", 0)
    local number = 0
    socket.start(id, function(new)
        number = number + 1
        local reply = replies[number]
        skynet.fork(function()
            socket.start(new)
            socket.read(new)
            if piece then
                for at = 1, #reply, piece do
                    socket.write(new, reply:sub(at, at + piece - 1))
                    skynet.yield()
                end
            else
                socket.write(new, reply)
            end
            socket.readall(new)
            socket.close(new)
        end)
    end)
    return { host = "127.0.0.1", port = port }, id
end

case("one byte at a time", function()
    local all = {}
    for i, expected in ipairs(right) do
        all[i] = expected[1]
    end
    local conf, id = serve({ table.concat(all) }, 1)
    local db = redis.connect(conf)
    local commands = {}
    for i = 1, #right do
        commands[i] = { "PING" }
    end
    for i, reply in ipairs(db:pipeline(commands, {})) do
        equal(reply.ok, right[i][2], "kind")
        equal(show(reply.out), right[i][3], "reply")
    end
    db:disconnect()
    socket.close(id)
end)

case("after a malformed reply", function()
    local conf, id = serve { "what\r\n", "+OK\r\n" }
    local db = redis.connect(conf)
    fails("redis: malformed reply", db.ping, db)
    equal(db:ping(), "OK", "on a new connection")
    db:disconnect()
    socket.close(id)
end)

case("a line without an end", function()
    local conf, id = serve { "+" .. ("x"):rep(1 << 20) }
    local db = redis.connect(conf)
    fails("a line of more than 65536 bytes", db.ping, db)
    db:disconnect()
    socket.close(id)
end)

check.main(cases)

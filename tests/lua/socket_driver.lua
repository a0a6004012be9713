--- skynet.socketdriver: its names, its buffers, and what it says about sockets.

require "skynet"
local driver = require "skynet.socketdriver"
local check = require "socket_check"

local equal, fails = check.equal, check.fails
local cases = {}
local function case(name, func)
    table.insert(cases, { name, func })
end

case("names", function()
    local names = "bind buffer clear close connect drop header info keepalive listen lsend nodelay pause pop push " ..
        "readall readline resolve send shutdown start str2p udp udp_address udp_connect udp_dial udp_listen udp_send unpack"
    local count = 0
    for name in names:gmatch "%S+" do
        equal(type(driver[name]), "function", name)
        count = count + 1
    end
    for _ in pairs(driver) do
        count = count - 1
    end
    equal(count, 0, "names that are not listed")
end)

case("buffers", function()
    local buffer, pool = driver.buffer(), {}
    local function push(text)
        local block, size = driver.str2p(text)
        return driver.push(buffer, pool, block, size)
    end
    equal(push "hello ", 6, "size")
    equal(push "world\n", 12, "size")
    equal(push "rest", 16, "size")
    equal(driver.readline(buffer, nil, "\n"), true, "a line is there")
    local some, left = driver.pop(buffer, pool, 3)
    equal(some, "hel", "pop")
    equal(left, 13, "left")
    equal(driver.readline(buffer, pool, "\n"), "lo world", "line")
    equal(driver.readline(buffer, pool, "\n"), nil, "no other line")
    some, left = driver.pop(buffer, pool, 5)
    equal(some, nil, "too much")
    equal(left, 4, "left")
    equal(driver.readall(buffer, pool), "rest", "readall")
    push "forgotten"
    driver.clear(buffer, pool)
    driver.clear(nil, pool)
    equal(driver.readall(buffer, pool), "", "cleared")
    driver.drop(driver.str2p "dropped")
    fails("need buffer object", driver.push, nil, pool, driver.str2p "")
    fails("need message block", driver.push, buffer, pool, "text", 4)
    fails("negative", driver.push, buffer, pool, driver.str2p "", -1)
end)

case("finalisers", function()
    -- One of them takes what is in the buffer while a string is made of it: no other bytes come in their place.
    local taken, rounds, armed = 0, 0, false
    while taken < 3 do
        rounds = rounds + 1
        assert(rounds < 100000, "no finaliser has run meanwhile")
        local text = ("x"):rep(3000 + rounds % 3000)
        local buffer, pool = driver.buffer(), {}
        for _ = 1, 3 do
            driver.push(buffer, pool, driver.str2p(text))
        end
        setmetatable({}, {
            __gc = function()
                if armed then
                    driver.clear(buffer, pool)
                end
            end,
        })
        armed = true
        local got = driver.readall(buffer, pool)
        armed = false
        assert(not got:find "[^x]")
        taken = taken + (#got < 3 * #text and 1 or 0)
    end
end)

case("header", function()
    equal(driver.header "\1\2\3\4", 0x01020304, "four bytes")
    equal(driver.header "\255", 255, "one byte")
    fails("Invalid read", driver.header, "")
end)

case("resolve", function()
    equal(driver.resolve("127.0.0.1")[1], "127.0.0.1", "IPv4")
    equal(driver.resolve("::1")[1], "::1", "IPv6")
    assert(#driver.resolve "localhost" >= 1)
    local ok, reason = pcall(driver.resolve, "not a name")
    equal(ok, false, "a name that is none")
    equal(type(reason), "string", "the resolver's words")
    fails("string expected", driver.resolve)
end)

case("info", function()
    local before = #driver.info()
    local id = driver.udp()
    local all = driver.info()
    equal(#all, before + 1, "sockets")
    equal(all[1].id, id, "the newest is first")
    for _, name in ipairs { "read", "write", "wbuffer", "rtime", "wtime", "address" } do
        equal(math.type(all[1][name]), "integer", name)
    end
    equal(type(all[1].reading), "boolean", "reading")
    equal(type(all[1].writing), "boolean", "writing")
    driver.nodelay(id)
    equal(driver.keepalive(id, 4), true, "keepalive")
    fails("number expected", driver.keepalive, id)
    driver.close(id)
end)

case("a pointer without a size", function()
    -- It would be an object of a kind that the node's sockets have not.
    local id = driver.udp()
    local block, size = driver.str2p "x"
    equal(driver.send(id, block), false, "send")
    driver.drop(block, size)
    driver.close(id)
end)

check.main(cases)

--- skynet.dns against a name server in the same service.

local skynet = require "skynet"
local socket = require "skynet.socket"
local dns = require "skynet.dns"
local message = require "skynet.dnsmessage"
local check = require "socket_check"

local equal, fails = check.equal, check.fails
local cases = {}
local function case(name, func)
    table.insert(cases, { name, func })
end

local V4 <const> = "\xc0\x0c\0\1\0\1\0\0\0\60\0\4\10\0\0"
local V6 <const> = "\xc0\x0c\0\28\0\1\0\0\0\60\0\16\x20\1\x0d\xb8" .. ("\0"):rep(11)

local function answer(question, count, records, id)
    local head = string.pack(">I2I2I2I2I2I2", id or string.unpack(">I2", question), 0x8180, 1, count, 0, 0)
    return head .. question:sub(13) .. records
end

local asked = 0
-- What the server says to each name; a list has several datagrams.
local replies = {
    ["two.test"] = function(question)
        return { answer(question, 2, V4 .. "\1" .. V4 .. "\2") }
    end,
    ["six.test"] = function(question)
        return { answer(question, 1, V6 .. "\1") }
    end,
    ["none.test"] = function(question)
        return { answer(question, 0, "") }
    end,
    ["hostile.test"] = function(question)
        local id = string.unpack(">I2", question)
        return {
            "",
            "short",
            question,
            answer(question, 1, V4),
            answer(question, 65535, V4 .. "\9"),
            answer(question, 1, V4 .. "\9", id ~ 1),
            string.pack(">I2I2I2I2I2I2", id, 0x8180, 1, 0, 0, 0) .. "\xc0\x0c\0\1\0\1",
            string.pack(">I2I2I2I2I2I2", id, 0x8180, 1, 0, 0, 0) .. ("\63" .. ("x"):rep(63)):rep(5) .. "\0\0\1\0\1",
            answer(message.question(id, "other.test", message.A), 1, V4 .. "\9"),
            answer(question, 1, V4 .. "\3"),
        }
    end,
}

local function name_of(question)
    local labels = {}
    local at = 13
    while question:byte(at) ~= 0 do
        local label
        label, at = string.unpack("s1", question, at)
        table.insert(labels, label)
    end
    return table.concat(labels, ".")
end

case("set up", function()
    local id, _, port = socket.listen("127.0.0.1", 0)
    socket.close(id)
    local server
    server = socket.udp_listen("127.0.0.1", port, function(question, from)
        asked = asked + 1
        for _, reply in ipairs(replies[name_of(question)](question)) do
            socket.sendto(server, from, reply)
        end
    end)
    dns.DEFAULT_HOSTS = os.tmpname()
    local file = assert(io.open(dns.DEFAULT_HOSTS, "w"))
    file:write("# comment\n10.1.1.1 Known.test alias # other\n::5 known.test\nbad line\n10.1.1.2 alias\n")
    file:close()
    dns.server("127.0.0.1", port)
end)

case("hosts", function()
    local first, all = dns.resolve "ALIAS"
    os.remove(dns.DEFAULT_HOSTS)
    equal(first, "10.1.1.1", "first")
    equal(all[2], "10.1.1.2", "second")
    equal(dns.resolve "known.test", "10.1.1.1", "IPv4")
    equal(dns.resolve("known.test", true), "::5", "IPv6")
    equal(asked, 0, "questions")
end)

case("addresses and names that are none", function()
    equal(dns.resolve "1.2.3.4", "1.2.3.4", "IPv4")
    equal(dns.resolve "::1", "::1", "IPv6")
    for _, name in ipairs { "", "a b", "a/b", ("x"):rep(64), ("x."):rep(150) } do
        local address, reason = dns.resolve(name)
        equal(address, nil, name)
        equal(reason, "illegal name", name)
    end
    equal(asked, 0, "questions")
end)

case("the server's answers", function()
    local first, all = dns.resolve "Two.test"
    equal(first, "10.0.0.1", "first")
    equal(#all, 2, "all")
    equal(all[2], "10.0.0.2", "second")
    equal(dns.resolve("six.test", true), "2001:db8:0:0:0:0:0:1", "IPv6")
    fails("timeout or no answer", dns.resolve, "none.test")
end)

case("answers are kept", function()
    local before = asked
    equal(dns.resolve "two.test", "10.0.0.1", "again")
    equal(asked, before, "questions")
    dns.flush()
    equal(dns.resolve "two.test.", "10.0.0.1", "after a flush")
    equal(asked, before + 1, "questions")
end)

case("hostile answers", function()
    equal(dns.resolve "hostile.test", "10.0.0.3", "the one that is right")
end)

case("any bytes are an answer or malformed", function()
    local whole = answer(message.question(1, "a.test", message.A), 2, V4 .. "\1" .. V4 .. "\2")
    for length = 0, #whole - 1 do
        equal(message.answer(whole:sub(1, length)), nil, "cut short")
    end
    math.randomseed(20)
    for _ = 1, 20000 do
        local at = math.random(#whole)
        message.answer(whole:sub(1, at - 1) .. string.char(math.random(0, 255)) .. whole:sub(at + 1))
    end
end)

case("another server while the socket to the one before is being closed", function()
    local here = 0
    local server, _, port = socket.listen("127.0.0.1", 0)
    socket.close(server)
    server = socket.udp_listen("127.0.0.1", port, function(question, from)
        here = here + 1
        socket.sendto(server, from, answer(question, 1, V4 .. "\4"))
    end)
    dns.flush()
    dns.resolve "two.test"
    local before = asked
    dns.flush()
    local address
    skynet.fork(dns.server, "127.0.0.1", port)
    skynet.fork(function()
        address = dns.resolve "two.test"
    end)
    check.eventually("an answer", function()
        return address
    end)
    equal(address, "10.0.0.4", "the new one's answer")
    equal(here, 1, "questions to the new one")
    equal(asked, before, "questions to the old one")
end)

check.main(cases)

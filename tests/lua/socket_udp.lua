--- Datagrams of skynet.socket.

local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"
local check = require "socket_check"

local equal, fails, eventually = check.equal, check.fails, check.eventually
local cases = {}
local function case(name, func)
    table.insert(cases, { name, func })
end

-- A port that nobody listens at; a socket for datagrams does not tell the one it has.
local function free_port(host)
    local id, _, port = socket.listen(host, 0)
    socket.close(id)
    return port
end

local function state_of(id)
    for _, row in ipairs(socket.netstat()) do
        if row.id == id then
            return row
        end
    end
end

-- A socket that answers what it gets, and counts.
local function echo(open, host, port)
    local got = {}
    local id
    local function receive(datagram, from)
        table.insert(got, { datagram, socket.udp_address(from) })
        equal(socket.sendto(id, from, { "echo ", datagram }), true, "sendto")
    end
    id = open == socket.udp and open(receive, host, port) or open(host, port, receive)
    return id, got
end

-- Sends from a socket that has a default address, and waits for the answers.
local function exchange(send, got, words)
    for i, word in ipairs(words) do
        send(word)
        eventually("an answer comes to " .. word, function()
            return got[i]
        end)
        equal(got[i], "echo " .. word, "answer")
    end
end

local function collect()
    local got = {}
    return got, function(datagram)
        table.insert(got, datagram)
    end
end

for _, family in ipairs {
    { "127.0.0.1", "127.0.0.1:%d" },
    { "::1", "[::1]:%d" },
} do
    local host, form = family[1], family[2]

    case("dial and listen " .. host, function()
        if not check.has(host) then
            return
        end
        local port = free_port(host)
        local server, seen = echo(socket.udp_listen, host, port)
        local got, take = collect()
        local client = socket.udp_dial(host, port, take)
        exchange(function(word)
            equal(socket.write(client, word), true, "write")
        end, got, { "one", "two", ("x"):rep(1000), "" })
        equal(seen[1][1], "one", "datagram")
        equal(seen[1][2], host, "from")
        assert(seen[1][3] > 0)
        equal(state_of(server).type, "UDP", "type")
        equal(socket.disconnected(server), false, "disconnected")
        -- Later datagrams go to the last callback.
        local later, take_later = collect()
        socket.udp_connect(client, form:format(port), nil, take_later)
        exchange(function(word)
            socket.write(client, word)
        end, later, { "again" })
        equal(#got, 4, "datagrams for the first callback")
        socket.close(client)
        socket.close(server)
        equal(socket.invalid(server), true, "closed")
        -- The port is free again.
        socket.close((socket.udp_listen(form:format(port), nil, take)))
    end)
end

case("udp and udp_connect", function()
    local port = free_port "127.0.0.1"
    local server = echo(socket.udp, "127.0.0.1", port)
    local got, take = collect()
    local client = socket.udp(take)
    socket.udp_connect(client, "127.0.0.1", port)
    exchange(function(word)
        socket.write(client, word)
    end, got, { "one", "two" })
    socket.close(client)
    socket.close(server)
end)

case("a name", function()
    -- The family of the address that localhost is on this machine.
    local host = socket.resolve "localhost"[1]
    local port = free_port(host)
    local server = echo(socket.udp_listen, host, port)
    local got, take = collect()
    local client = socket.udp(take, host, 0)
    socket.udp_connect(client, "localhost", port)
    exchange(function(word)
        socket.write(client, word)
    end, got, { "by name" })
    socket.close(client)
    socket.close(server)
end)

case("memory", function()
    local port = free_port "127.0.0.1"
    local server = echo(socket.udp, "127.0.0.1", port)
    local got, take = collect()
    local client = socket.udp_dial("127.0.0.1", port, take)
    socket.write(client, driver.str2p "memory")
    eventually("an answer comes", function()
        return got[1]
    end)
    equal(got[1], "echo memory", "answer")
    socket.close(client)
    socket.close(server)
end)

case("addresses", function()
    local host, port = socket.udp_address "\1\1\2\10\0\0\1"
    equal(host, "10.0.0.1", "host")
    equal(port, 258, "port")
    host, port = socket.udp_address("\2\0\80" .. ("\0"):rep(15) .. "\1")
    equal(host, "::1", "host")
    equal(port, 80, "port")
    for _, bad in ipairs { "", "\1", "\1\0\80\127\0\0", ("\2"):rep(20) } do
        fails("Invalid udp address", socket.udp_address, bad)
    end
    local id = socket.udp(print)
    for _, bad in ipairs { "", "\1", "\1\0\80\127\0\0", "\2\0\80\127\0\0\1", "\3\0\80\127\0\0\1" } do
        equal(socket.sendto(id, bad, "x"), false, "sendto")
        equal(socket.sendto(id, bad, driver.str2p "x"), false, "sendto")
    end
    equal(socket.sendto(id, "\2\0\80" .. ("\0"):rep(15) .. "\1", "x"), false, "another family")
    socket.close(id)
    equal(socket.sendto(id, "\1\0\80\127\0\0\1", "x"), false, "after close")
end)

case("errors", function()
    local port = free_port "127.0.0.1"
    local id = socket.udp(print, "127.0.0.1", port)
    fails("udp init failed", socket.udp, print, "192.0.2.1", port)
    fails("udp listen host failed", socket.udp_listen, "192.0.2.1", port, print)
    fails("udp listen host failed", socket.udp_listen, "127.0.0.1", 0, print)
    fails("udp dial host failed", socket.udp_dial, "127.0.0.1", 65536, print)
    fails("udp connect failed", socket.udp_connect, 1 << 30, "127.0.0.1", port)
    equal(socket.invalid(1 << 30), true, "no record of what failed")
    fails("Invalid address nowhere.", socket.udp, print, "nowhere")
    fails("Invalid port in address a:b.", socket.udp_dial, "a:b", nil, print)
    fails("string expected", socket.udp_listen)
    local stream = socket.listen("127.0.0.1", 0)
    fails("is not for datagrams", socket.udp_connect, stream, "127.0.0.1", port)
    socket.close(stream)
    socket.close(id)
end)

case("nobody at the other end", function()
    -- What the system says about it comes as an event, or not at all; closing does not wait for it.
    local id = socket.udp_dial("127.0.0.1", free_port "127.0.0.1", print)
    for _ = 1, 3 do
        socket.write(id, "x")
        skynet.sleep(1)
    end
    socket.close(id)
    equal(socket.invalid(id), true, "closed")
end)

check.main(cases)

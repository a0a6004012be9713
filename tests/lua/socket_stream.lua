--- Connections of skynet.socket, both ends in one service.

local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"
local check = require "socket_check"

local mode, passed_on = ...

-- The service that a connection is passed on to.
if mode == "heir" then
    skynet.start(function()
        local id = tonumber(passed_on)
        skynet.dispatch("lua", function(_, _, command)
            if command == "start" then
                skynet.retpack(socket.start(id))
                return
            end
            local line = socket.readline(id)
            socket.write(id, "heir has " .. line .. "\n")
            socket.close(id)
            skynet.retpack(line)
            skynet.exit()
        end)
    end)
    return
end

local equal, fails, eventually, pair = check.equal, check.fails, check.eventually, check.pair
local cases = {}
local function case(name, func)
    table.insert(cases, { name, func })
end

local listener

local function state_of(id)
    for _, row in ipairs(socket.netstat()) do
        if row.id == id then
            return row
        end
    end
end

case("listen", function()
    listener = check.listener()
    equal(listener.address, "127.0.0.1", "address")
    assert(listener.port > 0 and listener.port < 65536)
    local row = state_of(listener.id)
    equal(row.type, "LISTEN", "type")
    equal(row.sock, "127.0.0.1:" .. listener.port, "sock")
    equal(row.address, skynet.self(), "owner")
    equal(row.accept, 0, "accepted")
    equal(socket.disconnected(listener.id), false, "disconnected")
end)

case("accept", function()
    local client, server, from = pair(listener)
    assert(from:match "^127%.0%.0%.1:%d+$", from)
    equal(state_of(listener.id).accept, 1, "accepted")
    equal(state_of(server).type, "TCP", "type")
    equal(state_of(server).peer, from, "peer")
    equal(state_of(client).peer, "127.0.0.1:" .. listener.port, "peer")
    equal(socket.write(client, "12345"), true, "write")
    equal(socket.read(server, 5), "12345", "read")
    equal(state_of(client).write, 5, "written")
    equal(state_of(server).read, 5, "read")
    socket.close(client)
    eventually("the server hears of the end", function()
        return socket.disconnected(server)
    end)
    equal(socket.invalid(server), false, "before close")
    socket.close(server)
    equal(socket.invalid(server), true, "after close")
    equal(socket.disconnected(server), nil, "after close")
    eventually("its row is gone", function()
        return not state_of(server)
    end)
end)

case("host and port in one text", function()
    local client = assert(socket.open("127.0.0.1:" .. listener.port))
    local by_name = assert(socket.open("localhost:" .. listener.port))
    eventually("both are accepted", function()
        return #listener.accepted == 2
    end)
    for _, new in ipairs(listener.accepted) do
        socket.close_fd(new.id)
    end
    listener.accepted[1], listener.accepted[2] = nil, nil
    equal(socket.read(client), false, "closed before it was started")
    equal(socket.read(by_name), false, "closed before it was started")
    socket.close(client)
    socket.close(by_name)
end)

case("IPv6", function()
    if not check.has "::1" then
        return
    end
    local id, address, port = socket.listen("[::1]:0")
    equal(address, "::1", "address")
    socket.start(id, function(new)
        socket.start(new)
        socket.write(new, "six")
        socket.close(new)
    end)
    local client = assert(socket.open("[::1]:" .. port))
    equal(socket.readall(client), "six", "readall")
    socket.close(client)
    socket.close(id)
end)

case("what can be written", function()
    local client, server = pair(listener)
    socket.write(client, "a string,")
    socket.write(client, { "a ", "table", 1, 2.5, "," })
    socket.write(client, {})
    socket.write(client, "")
    socket.write(client, driver.str2p "memory,")
    socket.write(client, 42)
    socket.write(client, "\n")
    equal(socket.readline(server), "a string,a table12.5,memory,42", "line")
    fails("Invalid strings table: boolean at index 2", socket.write, client, { "a", true })
    fails("string expected", socket.write, client, true)
    fails("string expected", socket.write, client)
    fails("number expected", socket.write, "no id", "x")
    fails("out of range", socket.write, 1 << 40, "x")
    fails("size is not within", socket.write, client, driver.buffer(), 1 << 20)
    fails("size is not within", socket.write, client, driver.buffer(), -1)
    fails("thrown", socket.write, client, setmetatable({}, { __index = function() error "thrown" end }))
    local through = setmetatable({}, { __index = { "by ", "metatable\n" } })
    equal(socket.write(client, through), true, "metatable")
    equal(socket.readline(server), "by metatable", "line")
    socket.close(client)
    equal(socket.write(client, "late"), false, "write after close")
    equal(socket.lwrite(client, "late"), false, "lwrite after close")
    equal(socket.write(client, driver.str2p "late"), false, "memory after close")
    socket.close(server)
end)

case("ways of reading", function()
    local client, server = pair(listener)
    socket.write(client, "\0\5hello")
    equal(socket.header(socket.read(server, 2)), 5, "header")
    equal(socket.read(server, 5), "hello", "read")
    socket.write(client, "one\r\ntwo--three")
    equal(socket.readline(server, "\r\n"), "one", "separator")
    equal(socket.readline(server, "--"), "two", "separator")
    equal(socket.read(server), "three", "some")
    skynet.fork(function()
        socket.write(client, "x")
    end)
    equal(socket.block(server), true, "block")
    equal(socket.read(server), "x", "some")
    local got
    skynet.fork(function()
        got = socket.readall(server)
    end)
    socket.write(client, "all ")
    socket.write(client, "of it")
    socket.close(client)
    eventually("readall returns", function()
        return got
    end)
    equal(got, "all of it", "readall")
    equal(socket.readall(server), false, "readall at the end")
    equal(socket.block(server), false, "block at the end")
    local bytes, rest = socket.read(server, 10)
    equal(bytes, false, "read at the end")
    equal(rest, "", "rest")
    socket.close(server)
    fails("is not open in this service", socket.read, server)
    fails("is not open in this service", socket.readline, server)
    fails("is not open in this service", socket.limit, server, 1)
    fails("is not open in this service", socket.warning, server, print)
    fails("Invalid read", socket.header, "")
    fails("Invalid read", socket.header, "12345")
end)

case("an end within a line", function()
    local client, server = pair(listener)
    socket.write(client, "unfinished")
    socket.close(client)
    local line, rest = socket.readline(server)
    equal(line, false, "line")
    equal(rest, "unfinished", "rest")
    socket.close(server)
end)

case("everything written is sent before a close", function()
    local client, server = pair(listener)
    local piece = ("x"):rep(1 << 20)
    for _ = 1, 8 do
        socket.write(client, piece)
    end
    skynet.fork(socket.close, client)
    equal(#socket.readall(server), 8 << 20, "bytes")
    socket.close(server)
end)

case("low priority", function()
    local client, server = pair(listener, true)
    -- More than the system keeps, so that the rest waits here; the first piece has begun when "low" comes.
    local piece = ("x"):rep(16 << 20)
    socket.write(client, piece)
    socket.lwrite(client, "low")
    socket.write(client, "high")
    assert(socket.start(server))
    equal(#socket.read(server, #piece), #piece, "first")
    equal(socket.read(server, 7), "highlow", "order")
    socket.close(client)
    socket.close(server)
end)

case("warning", function()
    local client, server = pair(listener, true)
    local sizes = {}
    socket.warning(client, function(id, size)
        equal(id, client, "id")
        table.insert(sizes, size)
    end)
    local piece = ("x"):rep(1 << 20)
    for _ = 1, 16 do
        socket.write(client, piece)
    end
    eventually("a warning comes", function()
        return sizes[1]
    end)
    assert(sizes[1] >= 1024, sizes[1])
    assert(state_of(client).wbuffer > 0)
    assert(socket.start(server))
    equal(#socket.read(server, 16 << 20), 16 << 20, "bytes")
    eventually("nothing waits any more", function()
        return sizes[#sizes] == 0
    end)
    socket.close(client)
    socket.close(server)
end)

case("a warning for the log", function()
    local client, server = pair(listener, true)
    for _ = 1, 16 do
        socket.write(client, ("x"):rep(1 << 20))
        -- How much waits is counted when the socket server has seen the write.
        skynet.sleep(1)
    end
    assert(socket.start(server))
    equal(#socket.read(server, 16 << 20), 16 << 20, "bytes")
    socket.close(client)
    socket.close(server)
end)

case("a reader that does not come", function()
    local client, server = pair(listener)
    local size = 8 << 20
    socket.write(client, ("y"):rep(size))
    eventually("the socket is paused", function()
        return not state_of(server).reading
    end)
    local total = 0
    while total < size do
        total = total + #socket.read(server)
    end
    equal(total, size, "bytes")
    socket.pause(server)
    socket.write(client, "line\n")
    equal(socket.readline(server), "line", "after a pause")
    socket.close(client)
    socket.close(server)
end)

case("limit", function()
    local client, server = pair(listener)
    socket.limit(server, 1000)
    socket.write(client, ("z"):rep(900))
    -- A number of bytes that is asked for may be more.
    skynet.fork(socket.write, client, ("z"):rep(2000))
    equal(#socket.read(server, 2900), 2900, "read")
    socket.write(client, ("z"):rep(2000))
    local line, rest = socket.readline(server)
    equal(line, false, "line")
    assert(#rest > 1000 and #rest <= 2000, #rest)
    equal(socket.disconnected(server), true, "server")
    equal(socket.read(client), false, "client")
    socket.close(client)
    socket.close(server)
end)

case("shutdown", function()
    local client, server = pair(listener, true)
    socket.write(client, ("x"):rep(16 << 20))
    socket.shutdown(client)
    eventually("the socket is closed", function()
        return socket.disconnected(client)
    end)
    equal(socket.invalid(client), false, "close is still to be called")
    socket.close(client)
    assert(socket.start(server))
    assert(#(socket.readall(server) or "") < 16 << 20)
    socket.close(server)
end)

case("onclose", function()
    local client, server = pair(listener)
    local told = 0
    socket.onclose(server, function(id)
        equal(id, server, "id")
        told = told + 1
    end)
    socket.onclose(client, error)
    socket.onclose(client, nil)
    socket.close(client)
    eventually("onclose is called", function()
        return told == 1
    end)
    socket.close(server)
    equal(told, 1, "how often")
end)

case("passed on to another service", function()
    local client, server = pair(listener)
    socket.abandon(server)
    equal(socket.invalid(server), true, "abandoned")
    local heir = skynet.newservice(SERVICE_NAME, "heir", server)
    equal(skynet.call(heir, "lua", "start"), server, "start")
    socket.write(client, "a word\n")
    equal(skynet.call(heir, "lua", "read"), "a word", "heir")
    equal(socket.readall(client), "heir has a word\n", "answer")
    socket.close(client)
end)

case("several coroutines", function()
    local client, server = pair(listener)
    local got
    skynet.fork(function()
        got = { socket.readline(server) }
    end)
    skynet.yield()
    fails("another coroutine reads it", socket.read, server)
    fails("another coroutine reads it", socket.readall, server)
    fails("is not closed", socket.start, server)
    fails("use socket.close", socket.close_fd, server)
    socket.close(server)
    eventually("the reader returns", function()
        return got
    end)
    equal(got[1], false, "the reader's line")
    socket.close(client)
end)

case("addresses that are none", function()
    fails("Invalid address nowhere.", socket.open, "nowhere")
    fails("Invalid address [::1:80.", socket.open, "[::1:80")
    fails("Invalid port in address a:b.", socket.open, "a:b")
    fails("Invalid port in address a:65536.", socket.listen, "a:65536")
    fails("Invalid address", socket.open, ("a"):rep(300) .. ":80")
    fails("Invalid port", socket.open, "127.0.0.1", 0)
    fails("port out of range", socket.open, "127.0.0.1", 1 << 40)
    fails("failed", socket.open, "127.0.0.1", 65536)
    fails("string expected", socket.open)
    fails("Listen error", socket.listen, "127.0.0.1", 65536)
end)

case("no connection", function()
    local id, _, port = socket.listen("127.0.0.1", 0)
    socket.close(id)
    local none, reason = socket.open("127.0.0.1", port)
    equal(none, nil, "connection")
    equal(reason, "Connection refused", "reason")
    none, reason = socket.start(id)
    equal(none, nil, "a socket that is gone")
    equal(reason, "invalid socket", "reason")
    none, reason = socket.start(id, print)
    equal(none, nil, "a listening socket that is gone")
    equal(reason, "invalid socket", "reason")
end)

case("no listening", function()
    -- At an address in numbers it fails at once; a name is looked up first.
    fails("Listen error", socket.listen, "127.0.0.1", listener.port)
    fails("Listen error: ", socket.listen, "localhost", listener.port)
    fails("Listen error", socket.listen, "192.0.2.1", 0)
end)

case("listen at a name", function()
    local id, address, port = socket.listen("localhost", 0)
    assert(address == "127.0.0.1" or address == "::1", address)
    assert(port > 0)
    socket.close(id)
end)

case("close a listening socket", function()
    local port = listener.port
    socket.close(listener.id)
    equal(socket.invalid(listener.id), true, "closed")
    local again = socket.listen("127.0.0.1", port)
    socket.close(again)
end)

check.main(cases)

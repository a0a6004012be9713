--- skynet.socketchannel against servers in the same service that follow a script.

local skynet = require "skynet"
local socket = require "skynet.socket"
local socketchannel = require "skynet.socketchannel"
local check = require "socket_check"

local equal, fails, eventually = check.equal, check.fails, check.eventually
local cases = {}
local function case(name, func)
    table.insert(cases, { name, func })
end

-- A server that runs a script for each connection, with the socket and the connection's number.
local function serve(script, port)
    local id, _, at = socket.listen("127.0.0.1", port or 0)
    local server = { id = id, port = at, accepted = 0, sockets = {} }
    socket.start(id, function(new)
        server.accepted = server.accepted + 1
        local number = server.accepted
        server.sockets[number] = new
        skynet.fork(function()
            if socket.start(new) then
                script(new, number)
                socket.close(new)
            end
        end)
    end)
    function server.close()
        socket.close(id)
    end
    return server
end

-- A server that does not listen any more.
local function closed()
    local server = serve(function() end)
    server.close()
    return server
end

-- The lines that come until the end.
local function lines(id)
    return function()
        return socket.readline(id) or nil
    end
end

-- Answers each line with the same line.
local function echo(id)
    for text in lines(id) do
        socket.write(id, text .. "\n")
    end
end

local function open(server, more)
    local desc = { host = "127.0.0.1", port = server.port }
    for key, value in pairs(more or {}) do
        desc[key] = value
    end
    return socketchannel.channel(desc)
end

local function line(so)
    return true, so:readline()
end

-- "session text" for whole answers, "session+text" for parts, "session-text" for errors.
local function session_line(so)
    local session, kind, text = so:readline():match "^(%d+)([ +-])(.*)$"
    return tonumber(session), kind ~= "-", text, kind == "+"
end

-- Runs functions at once, and returns what each of them returned or raised.
local function together(...)
    local results = {}
    local done = 0
    for i, func in ipairs { ... } do
        skynet.fork(function()
            results[i] = table.pack(pcall(func))
            done = done + 1
        end)
    end
    local count = select("#", ...)
    eventually("all have come back", function()
        return done == count
    end)
    return results
end

local function lost(result)
    equal(result[1], false, "a result")
    equal(result[2], socketchannel.error, "the error")
end

case("the error has a text", function()
    equal(tostring(socketchannel.error), "[Error: socket]", "text")
    fails("host", socketchannel.channel, {})
end)

case("order mode", function()
    local server = serve(echo)
    local channel = open(server, { nodelay = true })
    equal(server.accepted, 0, "connections before the first request")
    equal(channel:request("one\n", line), "one", "answer")
    equal(channel:request({ "t", "wo", "\n" }, line), "two", "a request in pieces")
    equal(channel:request("thr", line, { "ee", "\n" }), "three", "a request in parts")
    local results = together(
        function() return channel:request("a\n", line) end,
        function() return channel:request("b\n", line) end,
        function() return channel:request("c\n", line) end)
    for i, expected in ipairs { "a", "b", "c" } do
        equal(results[i][2], expected, "one of several")
    end
    equal(channel:request "nobody reads\n", nil, "without an answer")
    equal(channel:response(line), "nobody reads", "response")
    equal(server.accepted, 1, "connections")
    equal(channel:connect(true), true, "connected already")
    equal(channel.__host, "127.0.0.1", "host")
    equal(channel.__port, server.port, "port")
    channel:close()
    channel:close()
    fails("closed", channel.request, channel, "x\n", line)
    equal(channel:connect(true), true, "connected again")
    equal(channel:request("four\n", line), "four", "after that")
    equal(server.accepted, 2, "connections")
    channel:close()
    server.close()
end)

case("answers in parts and errors in order mode", function()
    local server = serve(echo)
    local channel = open(server)
    local function parts(so)
        local text = so:readline()
        return text ~= "bad", text, text ~= "end" and text ~= "bad"
    end
    local whole = channel:request("x\ny\nend\n", parts)
    equal(table.concat(whole, ","), "x,y,end", "parts")
    equal(channel:request("end\n", parts), "end", "one part")
    local ok, reason = pcall(channel.request, channel, "x\nbad\n", parts)
    equal(ok, false, "an error after a part")
    equal(reason:match "[^ ]+$", "bad", "its text")
    local thrown = {}
    ok, reason = pcall(channel.request, channel, "q\n", function(so)
        so:readline()
        return false, thrown
    end)
    equal(ok, false, "an error that is a table")
    equal(reason, thrown, "which is raised as it is")
    equal(channel:request("more\n", line), "more", "the connection is good")
    equal(server.accepted, 1, "connections")
    channel:close()
    server.close()
end)

case("an error in a response function ends the connection for all", function()
    local server = serve(echo)
    local channel = open(server)
    local results = together(
        function() return channel:request("a\n", line) end,
        function() return channel:request("b\n", function() error "what is this" end) end,
        function() return channel:request("c\n", line) end)
    equal(results[1][2], "a", "before it")
    for i = 2, 3 do
        equal(results[i][1], false, "from it on")
        equal(tostring(results[i][2]):match "what is this", "what is this", "reason")
    end
    equal(channel:request("d\n", line), "d", "after it")
    equal(server.accepted, 2, "connections")
    channel:close()
    server.close()
end)

case("session mode", function()
    local server = serve(function(id)
        -- Collects requests up to "go", and answers from the last one to the first.
        local requests = {}
        for text in lines(id) do
            if text == "go" then
                for i = #requests, 1, -1 do
                    socket.write(id, requests[i])
                end
                requests = {}
            else
                table.insert(requests, (text:gsub("/", "\n")) .. "\n")
            end
        end
    end)
    local channel = open(server, { response = session_line })
    local results = together(
        function() return channel:request("1 one\n", 1) end,
        function() return channel:request("2+x/2+y/2 z\n", 2) end,
        function() return channel:request("3-bad\n", 3) end,
        function() return channel:request("4+x/4-worse\n", 4) end,
        function() return channel:request("99 nobody\ngo\n5 five\ngo\n", 5) end)
    equal(results[1][2], "one", "one answer")
    equal(table.concat(results[2][2], ","), "x,y,z", "parts")
    equal(results[3][1], false, "an error")
    equal(results[3][2]:match "[^ ]+$", "bad", "its text")
    equal(results[4][1], false, "an error after a part")
    equal(results[4][2]:match "[^ ]+$", "worse", "its text")
    equal(results[5][2], "five", "after an unknown session")
    skynet.fork(function()
        channel:request "6 pushed\ngo\n"
    end)
    equal(channel:response(6), "pushed", "response")
    equal(server.accepted, 1, "connections")
    -- All who wait hear of what cannot be understood.
    results = together(
        function() return channel:request("7 a\n", 7) end,
        function() return channel:request("what\ngo\n", 8) end)
    lost(results[1])
    lost(results[2])
    equal(channel:request("9 nine\ngo\n", 9), "nine", "on a new connection")
    equal(server.accepted, 2, "connections")
    channel:close()
    server.close()
end)

case("custom functions to read", function()
    local server = serve(echo)
    local channel = open(server, {
        socket_read = function(so, size) return "<" .. socket.read(so[1], size) .. ">" end,
        socket_readline = function(so, separator) return "(" .. socket.readline(so[1], separator) .. ")" end,
    })
    equal(channel:request("ab\ncd\n", function(so)
        return true, so:read(3) .. so:readline "\n"
    end), "<ab\n>(cd)", "both")
    channel:close()
    server.close()
end)

case("the peer closes", function()
    local server = serve(function(id, number)
        local text = socket.readline(id)
        if number == 1 then
            socket.readline(id)
            socket.write(id, text .. "\nhalf an answ")
        elseif number == 2 then
            socket.write(id, text .. "\n")
        else
            socket.write(id, text .. "\n")
            echo(id)
        end
    end)
    local channel = open(server)
    -- In the middle of answers.
    local results = together(
        function() return channel:request("a\n", line) end,
        function() return channel:request("b\n", line) end,
        function() return channel:request("c\n", line) end)
    equal(results[1][2], "a", "answer before the end")
    lost(results[2])
    lost(results[3])
    -- Between requests.
    equal(channel:request("d\n", line), "d", "answer on a new connection")
    eventually("the end is noticed", function()
        return not channel.__sock
    end)
    equal(channel:request("e\n", line), "e", "answer")
    equal(server.accepted, 3, "connections")
    channel:close()
    server.close()
end)

case("the peer closes in session mode", function()
    local server = serve(function(id, number)
        for _ = 1, 2 do
            socket.readline(id)
        end
        socket.write(id, number == 1 and "1 a\n" or "3 c\n")
        if number == 2 then
            echo(id)
        end
    end)
    local channel = open(server, { response = session_line })
    local results = together(
        function() return channel:request("1 a\n", 1) end,
        function() return channel:request("2 b\n", 2) end,
        function() return channel:request("3 c\n", 3) end)
    equal(results[1][2], "a", "answer")
    lost(results[2])
    lost(results[3])
    equal(channel:request("x\nx\n", 3), "c", "a session that is free again")
    channel:close()
    server.close()
end)

case("the channel is closed while somebody waits", function()
    for _, more in ipairs { {}, { response = session_line } } do
        local server = serve(function(id)
            socket.readall(id)
        end)
        local channel = open(server, more)
        local results = together(
            function() return channel:request("a\n", more.response and 1 or line) end,
            function() return channel:request("b\n", more.response and 2 or line) end,
            function()
                eventually("both have sent", function()
                    return server.accepted == 1 and channel.__sock
                end)
                skynet.yield()
                channel:close()
            end)
        lost(results[1])
        lost(results[2])
        equal(results[3][1], true, "close")
        fails("closed", channel.request, channel, "c\n", line)
        fails("closed", channel.response, channel, line)
        server.close()
    end
end)

case("a response function closes the channel", function()
    local server = serve(echo)
    local channel = open(server)
    local results = together(
        function()
            return channel:request("a\n", function(so)
                local text = so:readline()
                channel:close()
                return true, text
            end)
        end,
        function() return channel:request("b\n", line) end)
    equal(results[1][2], "a", "its own answer")
    equal(results[2][1], false, "the next")
    equal(results[2][2]:match "channel_closed$", "channel_closed", "reason")
    server.close()
end)

case("nobody listens", function()
    local nobody = closed()
    local channel = open(nobody)
    lost(table.pack(pcall(channel.connect, channel, true)))
    local results = together(
        function() return channel:request("a\n", line) end,
        function() return channel:request("b\n", line) end)
    lost(results[1])
    lost(results[2])
    -- It connects as soon as somebody does.
    local server
    skynet.timeout(20, function()
        server = serve(function(id)
            socket.write(id, "hello\n")
            echo(id)
        end, nobody.port)
    end)
    equal(channel:response(line), "hello", "what the server says first")
    equal(channel:request("c\n", line), "c", "answer")
    channel:close()
    server.close()
    -- And gives up when it is closed.
    skynet.timeout(5, function()
        channel:close()
    end)
    equal(channel:connect(), false, "closed while it tries")
end)

case("a host that cannot be asked for", function()
    local channel = socketchannel.channel { host = "a\0b", port = 1 }
    for _ = 1, 2 do
        equal(pcall(channel.request, channel, "a\n", line), false, "an error each time")
    end
end)

case("a long line", function()
    local server = serve(function(id)
        socket.readline(id)
        for _ = 1, 64 do
            socket.write(id, ("x"):rep(1024))
        end
        socket.readall(id)
    end)
    local channel = open(server)
    fails("a line of more than 4096 bytes", channel.request, channel, "a\n", function(so)
        return true, so:readline("\n", 4096)
    end)
    equal(channel.__sock, false, "the connection")
    server.close()
    server = serve(echo)
    channel = open(server)
    local text = ("y"):rep(4096)
    equal(channel:request(text .. "\n", function(so)
        return true, so:readline("\n", 4096)
    end), text, "a line as long as allowed")
    fails("a line of more than 4095 bytes", channel.request, channel, text .. "\n", function(so)
        return true, so:readline("\n", 4095)
    end)
    server.close()
end)

case("authentication", function()
    local open_at = {}
    local server = serve(function(id, number)
        open_at[number] = socket.readline(id)
        if open_at[number] == "user good" then
            socket.write(id, "welcome\n")
            for text in lines(id) do
                if text == "bye" then
                    return
                end
                socket.write(id, text .. "\n")
            end
        else
            socket.write(id, "go away\n")
        end
    end)
    local word = "user good"
    local greetings = 0
    local channel = open(server, {
        auth = function(self)
            -- What others sent between these would be part of it.
            self:request(word)
            skynet.sleep(2)
            local greeting = self:request("\n", line)
            greetings = greetings + 1
            assert(greeting == "welcome", greeting)
        end,
    })
    -- Others wait until it is done.
    local results = together(
        function() return channel:request("a\n", line) end,
        function() return channel:request("b\n", line) end,
        function()
            eventually("it has a connection", function()
                return channel.__sock
            end)
            equal(greetings, 0, "authentications")
            return channel:request("c\n", line)
        end)
    for i, expected in ipairs { "a", "b", "c" } do
        equal(results[i][2], expected, "answer")
    end
    equal(greetings, 1, "authentications")
    -- It is done for each connection.
    lost(table.pack(pcall(channel.request, channel, "bye\n", line)))
    equal(channel:request("c\n", line), "c", "answer")
    equal(greetings, 2, "authentications")
    lost(table.pack(pcall(channel.request, channel, "bye\n", line)))
    word = "user bad"
    lost(table.pack(pcall(channel.request, channel, "d\n", line)))
    equal(channel.__sock, false, "the connection")
    word = "user good"
    equal(channel:request("e\n", line), "e", "answer")
    channel:close()
    server.close()
end)

case("the connection is lost while it authenticates", function()
    local server = serve(function(id, number)
        socket.readline(id)
        if number > 1 then
            socket.write(id, "yes\n")
            echo(id)
        end
    end)
    local second
    local channel = open(server, {
        auth = function(self)
            local ok = pcall(self.request, self, "who\n", line)
            if not ok then
                second = table.pack(pcall(self.request, self, "again\n", line))
                error "no"
            end
        end,
    })
    lost(table.pack(pcall(channel.request, channel, "a\n", line)))
    equal(second[1], false, "it cannot send any more")
    equal(channel:request("b\n", line), "b", "the next time")
    channel:close()
    server.close()
end)

case("backup hosts", function()
    local first, second = serve(echo), serve(function(id)
        socket.write(id, "second\n")
        echo(id)
    end)
    local nobody = closed()
    local channel = open(nobody, {
        backup = { "127.0.0.1", { host = "127.0.0.1", port = nobody.port }, { host = "127.0.0.1", port = first.port } },
    })
    equal(channel:request("a\n", line), "a", "answer")
    equal(channel.__port, first.port, "the host that it has now")
    channel:changebackup { { host = "127.0.0.1", port = second.port } }
    first.close()
    socket.close(first.sockets[1])
    eventually("the end is noticed", function()
        return not channel.__sock
    end)
    equal(channel:response(line), "second", "the other host")
    channel:close()
    second.close()
    lost(table.pack(pcall(channel.connect, channel, true)))
    -- Authentication can name others, and fail.
    first = serve(echo)
    channel = open(first, {
        auth = function(self)
            if self.__port == first.port then
                self:changebackup { { host = "127.0.0.1", port = second.port } }
                error "not here"
            end
        end,
    })
    second = serve(echo, second.port)
    equal(channel:request("b\n", line), "b", "answer")
    equal(channel.__port, second.port, "the host that it has now")
    channel:close()
    first.close()
    second.close()
end)

case("another host", function()
    local first, second = serve(function(id)
        socket.readall(id)
    end), serve(echo)
    local channel = open(first)
    local results = together(
        function() return channel:request("a\n", line) end,
        function()
            eventually("it is connected", function()
                return channel.__sock
            end)
            skynet.yield()
            channel:changehost("127.0.0.1", second.port)
        end)
    lost(results[1])
    equal(channel:request("b\n", line), "b", "answer")
    equal(channel.__port, second.port, "port")
    channel:close()
    -- While it authenticates.
    channel = open(first, {
        auth = function(self)
            if self.__port == first.port then
                self:changehost("127.0.0.1", second.port)
            end
        end,
    })
    equal(channel:request("c\n", line), "c", "answer")
    channel:close()
    -- While it connects.
    channel = open(first)
    results = together(
        function() return channel:request("d\n", line) end,
        function() channel:changehost("127.0.0.1", second.port) end)
    equal(results[1][2], "d", "answer")
    channel:close()
    first.close()
    second.close()
end)

case("the channel is closed while it connects", function()
    local server = serve(echo)
    local channel = open(server)
    local results = together(
        function() return channel:connect(true) end,
        function() channel:close() end)
    equal(results[1][2], false, "connected")
    equal(channel.__sock, false, "the connection")
    server.close()
end)

case("the task that connects is killed", function()
    local server = serve(function(id, number)
        if number > 1 then
            echo(id)
        end
        socket.readall(id)
    end)
    local authenticates = 0
    local channel = open(server, {
        auth = function(self)
            authenticates = authenticates + 1
            if authenticates == 1 then
                self:request("who\n", line)
            end
        end,
    })
    local task = skynet.fork(function()
        channel:request("a\n", line)
    end)
    eventually("it authenticates", function()
        return authenticates == 1 and server.accepted == 1
    end)
    local results = {}
    skynet.fork(function()
        results = table.pack(pcall(channel.connect, channel, true))
    end)
    skynet.yield()
    skynet.killthread(task)
    eventually("the other comes back", function()
        return results.n
    end)
    eventually("its connection is closed", function()
        return socket.invalid(server.sockets[1])
    end)
    equal(channel:request("b\n", line), "b", "answer")
    equal(server.accepted, 2, "connections")
    channel:close()
    server.close()
end)

case("one byte at a time", function()
    local server = serve(function(id)
        for text in lines(id) do
            for byte in (text .. "\r\n"):gmatch "." do
                socket.write(id, byte)
                skynet.yield()
            end
        end
    end)
    local channel = open(server, { nodelay = true })
    equal(channel:request("slow answer\n", function(so)
        return true, so:read(2) .. "|" .. so:readline("\r\n", 100)
    end), "sl|ow answer", "answer")
    channel:close()
    server.close()
end)

case("much waits to be sent", function()
    local reads = false
    local server = serve(function(id)
        socket.pause(id)
        eventually("it shall read", function()
            return reads
        end)
        local size = 0
        while size < 32 << 20 do
            size = size + #socket.read(id)
        end
        socket.write(id, "all\n")
        socket.readall(id)
    end)
    local told = {}
    local channel = open(server, {
        overload = function(overload)
            table.insert(told, overload)
        end,
    })
    local piece = ("z"):rep(8 << 20)
    for _ = 1, 4 do
        channel:request(piece)
    end
    eventually("it is told", function()
        return told[1] ~= nil
    end)
    equal(told[1], true, "overload")
    reads = true
    equal(channel:response(line), "all", "answer")
    eventually("it is told of the end", function()
        return told[2] ~= nil
    end)
    equal(told[2], false, "no overload")
    equal(#told, 2, "how often it is told")
    channel:close()
    server.close()
end)

check.main(cases)

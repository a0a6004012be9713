--- http.websocket: servers against clients that write every byte themselves, clients against such servers, and both
--- against each other.

local skynet = require "skynet"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"
local httpd = require "http.httpd"
local helper = require "http.sockethelper"
local websocket = require "http.websocket"
local check = require "socket_check"

local equal, eventually, fails = check.equal, check.eventually, check.fails

local listener

--- What a server was told, one line for each event.
local log = {}
local results = {}

local function note(event)
    return function(_, ...)
        local words = table.pack(...)
        for i = 1, words.n do
            words[i] = tostring(words[i])
        end
        table.insert(log, event .. " " .. table.concat(words, " "))
    end
end

local handle = {
    connect = note "connect",
    handshake = function(id, header, url)
        note "handshake" (id, header.host, url, websocket.addrinfo(id), websocket.real_ip(id))
    end,
    message = function(id, content, kind)
        note "message" (id, #content > 20 and #content or content, kind)
        if content == "close" then
            websocket.close(id, 1000, "bye")
        elseif content == "throw" then
            error "thrown"
        else
            websocket.write(id, content, kind)
        end
    end,
    ping = note "ping",
    pong = note "pong",
    close = note "close",
    error = note "error",
}

--- Begins to serve a connection; what `accept` returns is appended to `results`.
local function pair(options)
    log, results = {}, {}
    local client, server, from = check.pair(listener, true)
    skynet.fork(function()
        local ok, reason = websocket.accept(server, handle, nil, from, options)
        table.insert(results, { ok, reason })
    end)
    return client, server, from
end

local KEY <const> = crypt.base64encode "0123456789abcdef"
local REQUEST <const> = "GET /chat?a HTTP/1.1\r\nHost: here\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    .. "Sec-WebSocket-Version: 13\r\nX-Real-IP: 1.2.3.4\r\nSec-WebSocket-Key: " .. KEY .. "\r\n"
local ANSWER <const> = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Accept: "
    .. crypt.base64encode(crypt.sha1(KEY .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) .. "\r\n\r\n"

local MASK <const> = "\x12\x34\x56\x78"

--- A frame with a mask. `first`: its first byte, `size`: the one that it claims to have.
local function frame(first, data, size)
    size = size or #data
    local head
    if size < 126 then
        head = string.pack("BB", first, 0x80 | size)
    elseif size <= 0xffff then
        head = string.pack(">BBI2", first, 0xfe, size)
    else
        head = string.pack(">BBi8", first, 0xff, size)
    end
    return head .. MASK .. (data == "" and "" or crypt.xor_str(data, MASK))
end

local function shake_hands(options)
    local client, server, from = pair(options)
    socket.write(client, REQUEST .. "\r\n")
    equal(socket.read(client, #ANSWER), ANSWER, "handshake")
    return client, server, from
end

local function finished(count)
    eventually("the server has finished", function()
        return #results == (count or 1)
    end)
    return table.unpack(results[1], 1, 2)
end

local function equal_log(...)
    equal(table.concat(log, "\n"), table.concat({ ... }, "\n"), "events")
end

local function messages()
    local client, _, from = shake_hands()
    socket.write(client, frame(0x81, "hello"))
    equal(socket.read(client, 7), "\x81\5hello", "text")
    socket.write(client, frame(0x82, "\0\1"))
    equal(socket.read(client, 4), "\x82\2\0\1", "binary")
    socket.write(client, frame(0x81, ""))
    equal(socket.read(client, 2), "\x81\0", "empty")
    socket.write(client, "\x81\2ab")
    equal(socket.read(client, 4), "\x81\2ab", "without a mask")
    local medium, large = ("m"):rep(126), ("l"):rep(70000)
    socket.write(client, frame(0x81, medium))
    equal(socket.read(client, 4 + #medium), "\x81\x7e\0\x7e" .. medium, "medium")
    socket.write(client, frame(0x82, large))
    equal(socket.read(client, 10 + #large), "\x82\x7f" .. string.pack(">I8", #large) .. large, "large")
    socket.write(client, frame(0x89, "are you there"))
    equal(socket.read(client, 15), "\x8a\x0dare you there", "pong")
    socket.write(client, frame(0x8a, ""))
    socket.write(client, frame(0x88, string.pack(">I2", 1001) .. "going"))
    equal(socket.readall(client), "\x88\0", "close")
    equal(finished(), true, "accept")
    socket.close(client)
    equal_log("connect ", "handshake here /chat?a " .. from .. " 1.2.3.4", "message hello text", "message \0\1 binary",
        "message  text", "message ab text", "message 126 text", "message 70000 binary", "ping ", "pong ",
        "close 1001 going")
end

-- Answers to pings do not pile up for a client that does not read them.
local function unread_pings()
    local client, server = shake_hands()
    socket.pause(client)
    local many = frame(0x89, ("p"):rep(125)):rep(1000)
    for i = 1, 200 do
        socket.write(client, many)
        eventually("the pings have come", function()
            return #log == 2 + i * 1000
        end)
    end
    for _, info in ipairs(socket.netstat()) do
        if info.id == server then
            local waiting = info.wbuffer or 0
            assert(waiting < 2 << 20, waiting)
        end
    end
    socket.close(client)
    finished()
end

-- A message in parts, with a ping between them, byte by byte and all at once; what comes with the request is not lost.
local function parts()
    local bytes = REQUEST .. "\r\n" .. frame(0x01, "one ") .. frame(0x00, "") .. frame(0x89, "p") .. frame(0x00, "two ")
        .. frame(0x80, "three") .. frame(0x02, "") .. frame(0x80, "") .. frame(0x88, "")
    local expected = ANSWER .. "\x8a\1p" .. "\x81\x0done two three" .. "\x82\0" .. "\x88\0"
    for _, step in ipairs { 1, 7, #bytes } do
        local client = pair()
        for at = 1, #bytes, step do
            socket.write(client, bytes:sub(at, at + step - 1))
            if at % 16 < step then
                skynet.sleep(0)
            end
        end
        equal(socket.readall(client), expected, "what comes back")
        equal(finished(), true, "accept")
        socket.close(client)
        equal(log[#log], "close ", "the last event")
        equal(log[#log - 1], "message  binary", "the event before")
    end
end

local function ends()
    -- The connection ends without a word.
    local client = shake_hands()
    socket.close(client)
    equal(finished(), true, "accept")
    assert(log[#log]:find "^error ", log[#log])
    -- In a frame.
    client = shake_hands()
    socket.write(client, frame(0x81, "hello", 100))
    socket.close(client)
    equal(finished(), true, "accept")
    assert(log[#log]:find "^error ", log[#log])
    -- Before the request.
    client = pair()
    socket.close(client)
    equal(finished(), true, "accept")
    assert(log[#log]:find "^error ", log[#log])
    -- The server closes, from its callback and from elsewhere.
    client = shake_hands()
    socket.write(client, frame(0x81, "close"))
    equal(socket.readall(client), "\x88\5\x03\xe8bye", "close")
    equal(finished(), true, "accept")
    equal(log[#log], "close ", "close")
    socket.close(client)
    local server
    client, server = shake_hands()
    equal(websocket.is_close(server), false, "is_close")
    websocket.close(server)
    equal(websocket.is_close(server), true, "is_close")
    equal(socket.readall(client), "\x88\0", "close")
    equal(finished(), true, "accept")
    equal(log[#log], "close ", "close")
    socket.close(client)
    fails("websocket " .. server .. " is not open", websocket.write, server, "late")
    fails("websocket " .. server .. " is not open", websocket.addrinfo, server)
    -- A callback throws.
    client = shake_hands()
    socket.write(client, frame(0x81, "throw"))
    local ok, reason = finished()
    equal(ok, false, "accept")
    assert(reason:find "thrown", reason)
    socket.close(client)
    -- A code without a reason.
    client = shake_hands()
    socket.write(client, frame(0x88, "\x03\xe8"))
    finished()
    equal(log[#log], "close 1000 ", "close")
    socket.close(client)
end

local function refused(request, line)
    local client = pair()
    socket.write(client, request .. "\r\n")
    local answer = socket.readall(client)
    equal(answer:match "^HTTP/1.1 ([^\r]*)", line, request)
    equal(finished(), true, "accept")
    socket.close(client)
    equal_log("connect ", "close ")
    return answer
end

local function bad_handshakes()
    local function without(name)
        return (REQUEST:gsub(name .. "[^\r]*\r\n", ""))
    end
    local answer = refused(without "Upgrade:", "426 ")
    assert(answer:find "Upgrade Required$", answer)
    refused(without "Host:", "400 Bad Request")
    refused(without "Connection:", "400 Bad Request")
    refused(without "Sec%-WebSocket%-Key:", "400 Bad Request")
    refused(without "Sec%-WebSocket%-Version:", "400 Bad Request")
    refused(without "Sec%-WebSocket%-Key:" .. "Sec-WebSocket-Key: short\r\n", "400 Bad Request")
    refused(without "Sec%-WebSocket%-Key:" .. "Sec-WebSocket-Key: " .. ("?"):rep(24) .. "\r\n", "400 Bad Request")
    refused(REQUEST .. "Upgrade: websocket\r\n", "426 ")
    refused(REQUEST .. "Sec-WebSocket-Key: " .. KEY .. "\r\n", "400 Bad Request")
    refused(REQUEST .. "Sec-WebSocket-Protocol: other\r\n", "400 Bad Request")
    refused((REQUEST:gsub("^GET", "POST")), "400 Bad Request")
    refused((REQUEST:gsub("HTTP/1.1", "HTTP/1.0")), "505 HTTP Version not supported")
    refused(REQUEST .. "nonsense\r\n", "400 Bad Request")
    refused(REQUEST .. "long: " .. ("x"):rep(9000) .. "\r\n", "413 Request Entity Too Large")
    local client = pair()
    socket.write(client, REQUEST .. "Sec-WebSocket-Protocol: other, chat\r\n\r\n")
    local expected = ANSWER:sub(1, -3) .. "Sec-WebSocket-Protocol: chat\r\n\r\n"
    equal(socket.read(client, #expected), expected, "a subprotocol")
    socket.close(client)
    finished()
    client = pair()
    socket.write(client, "nonsense\r\n\r\n")
    equal(finished(), false, "accept")
    socket.close(client)
end

-- `code` is what the client is told.
local function bad_frames()
    for what, case in pairs {
        ["a frame that is too large"] = { frame(0x82, "", (256 << 10) + 1), 1009 },
        ["a frame that is far too large"] = { frame(0x82, "", 1 << 62), 1009 },
        ["a negative size"] = { "\x82\xff\x80\0\0\0\0\0\0\5" .. MASK, 1002 },
        ["parts that are too large"] = { frame(0x02, ("x"):rep(200 << 10)) .. frame(0x80, "", 57 << 10), 1009 },
        ["reserved bits"] = { frame(0xc1, "x"), 1002 },
        ["an unknown opcode"] = { frame(0x83, "x"), 1002 },
        ["another one"] = { frame(0x8b, "x"), 1002 },
        ["a ping that is too large"] = { frame(0x89, ("x"):rep(126)), 1002 },
        ["a ping in parts"] = { frame(0x09, "x"), 1002 },
        ["a part of nothing"] = { frame(0x80, "x"), 1002 },
        ["a message in a message"] = { frame(0x01, "x") .. frame(0x81, "y"), 1002 },
    } do
        local client = shake_hands()
        socket.write(client, case[1])
        equal(socket.readall(client), "\x88\2" .. string.pack(">I2", case[2]), what)
        local ok, reason = finished()
        equal(ok, false, what)
        assert(case[2] ~= 1009 or reason:find "payload_len is too large", reason)
        socket.close(client)
    end
end

local function limits()
    local before = websocket.limit.server
    websocket.limit.server = 10
    local client = shake_hands()
    socket.write(client, frame(0x81, "0123456789"))
    equal(socket.read(client, 12), "\x81\x0a0123456789", "as large as it may be")
    socket.write(client, frame(0x01, "01234") .. frame(0x80, "56789"))
    equal(socket.read(client, 12), "\x81\x0a0123456789", "as large in parts")
    socket.write(client, frame(0x81, "0123456789a"))
    equal(socket.readall(client), "\x88\2\x03\xf1", "too large")
    socket.close(client)
    websocket.limit.server = before
end

-- A request that httpd has read becomes a connection, on the socket or on what has read it.
local function upgrade(interface)
    log, results = {}, {}
    local client, server = check.pair(listener)
    local read = helper.readfunc(server)
    local ended
    interface = interface and {
        -- It reads ahead as little as a socket does: no source is registered for it.
        read = function(size)
            return read(size or 1)
        end,
        write = helper.writefunc(server),
        close = function()
            ended = true
        end,
    }
    skynet.fork(function()
        local code, url, method, header = httpd.read_request(interface and interface.read or read)
        equal(code, 200, "code")
        local ok, reason = websocket.accept(server, handle, interface and "wss" or "ws", "addr",
            { upgrade = { header = header, method = method, url = url, interface = interface } })
        table.insert(results, { ok, reason })
    end)
    socket.write(client, REQUEST .. "\r\n" .. frame(0x81, "early"))
    equal(socket.read(client, #ANSWER + 7), ANSWER .. "\x81\5early", "answer")
    socket.write(client, frame(0x88, ""))
    equal(socket.readall(client), "\x88\0", "close")
    equal(finished(), true, "accept")
    socket.close(client)
    equal_log("connect ", "handshake here /chat?a addr 1.2.3.4", "message early text", "close ")
    equal(ended, interface and true, "the interface is closed")
end

--- Connects our client to our server.
local function connect(protocol, timeout)
    log, results = {}, {}
    skynet.fork(function()
        eventually("a connection is accepted", function()
            return listener.accepted[1]
        end)
        local new = table.remove(listener.accepted, 1)
        local ok, reason = websocket.accept(new.id, handle, protocol, new.from)
        table.insert(results, { ok, reason })
    end)
    return websocket.connect(("%s://127.0.0.1:%d"):format(protocol, listener.port), { ["X-Real-IP"] = "5.6.7.8" }, timeout)
end

local function clients()
    local id = connect "ws"
    websocket.write(id, "hello")
    equal(websocket.read(id), "hello", "content")
    websocket.ping(id)
    eventually("the ping has come", function()
        return log[#log] == "ping "
    end)
    websocket.write(id, "close")
    local content, reason = websocket.read(id)
    equal(content, false, "close")
    equal(reason, "\x03\xe8bye", "code and reason")
    equal(websocket.is_close(id), true, "is_close")
    finished()
    equal(log[2], "handshake 127.0.0.1 / 127.0.0.1:" .. log[2]:match ":(%d+) " .. " 5.6.7.8", "handshake")

    id = connect "ws"
    for _, content in ipairs { "", ("x"):rep(300), ("y"):rep(100000) } do
        websocket.write(id, content, "binary")
        equal(websocket.read(id), content, "content")
    end
    websocket.write(id, "masked", "text", 0x12345678)
    equal(websocket.read(id), "masked", "content")
    fails('fmt: "text" or "binary" is needed, not json', websocket.write, id, "x", "json")
    websocket.close(id, 3000, "done")
    finished()
    equal(log[#log], "close 3000 done", "close")
    websocket.close(id)
    fails("is not open", websocket.read, id)
    fails("invalid protocol", websocket.connect, "http://127.0.0.1")
    fails("connect failed host = 127.0.0.1", websocket.connect, "ws://127.0.0.1:1")
end

--- Connects our client to a server of plain bytes; the server's side of the socket, and what `connect` gives.
local function raw_server(answer, more)
    local got
    skynet.fork(function()
        local result = table.pack(pcall(websocket.connect, "ws://127.0.0.1:" .. listener.port .. "/path"))
        got = result
    end)
    eventually("a connection is accepted", function()
        return listener.accepted[1]
    end)
    local server = table.remove(listener.accepted, 1).id
    socket.start(server)
    local head = socket.readline(server, "\r\n\r\n")
    assert(head:find "^GET /path HTTP/1.1\r\n", head)
    local key = head:match "Sec%-WebSocket%-Key:([^\r]*)"
    socket.write(server, (answer:gsub("ACCEPT", function()
        return crypt.base64encode(crypt.sha1(key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
    end)) .. (more or ""))
    eventually("the client has seen the answer", function()
        return got
    end)
    return server, got[1], got[2]
end

local GOOD <const> = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    .. "Sec-WebSocket-Accept: ACCEPT\r\n\r\n"

local function bad_servers()
    for answer, text in pairs {
        ["HTTP/1.1 404 Not Found\r\n\r\n"] = "websocket handshake error: code[404] info:",
        ["HTTP/1.1 101 S\r\n\r\n"] = "websocket handshake upgrade must websocket",
        ["HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n"] = "websocket handshake connection must upgrade",
        ["HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"] =
            "websocket handshake need Sec-WebSocket-Accept",
        [GOOD:gsub("ACCEPT", "AAAA") .. ""] = "websocket handshake invalid Sec-WebSocket-Accept",
        ["nonsense\r\n\r\n"] = "Invalid HTTP status line",
    } do
        local server, ok, reason = raw_server(answer)
        equal(ok, false, answer)
        assert(tostring(reason):find(text, 1, true), reason)
        equal(socket.readall(server), false, "the client closes")
        socket.close(server)
    end
    -- Frames that come with the answer, and in parts.
    local server, ok, id = raw_server(GOOD, "\x81\2ab\x01\1c\x89\1p\x80\1d\x8a\0\x88\2\x03\xe9")
    assert(ok, id)
    equal(websocket.read(id), "ab", "message")
    equal(websocket.read(id), "cd", "message in parts")
    local content, reason = websocket.read(id)
    equal(content, false, "close")
    equal(reason, "\x03\xe9", "code")
    local pong = socket.readall(server)
    equal(#pong, 7, "pong")
    equal(pong:sub(1, 2), "\x8a\x81", "a pong with a mask")
    equal(crypt.xor_str(pong:sub(7), pong:sub(3, 6)), "p", "pong")
    socket.close(server)
    -- A frame that is no frame.
    server, ok, id = raw_server(GOOD, "\xf1\2ab")
    assert(ok, id)
    fails("reserved bits are set", websocket.read, id)
    equal(websocket.is_close(id), true, "is_close")
    equal(socket.readall(server):sub(1, 2), "\x88\x82", "close with a mask")
    socket.close(server)
    -- The end without a word.
    server, ok, id = raw_server(GOOD)
    assert(ok, id)
    socket.close(server)
    local read, why = pcall(websocket.read, id)
    equal(read, false, "read")
    equal(why, helper.socket_error, "read")
    websocket.close(id)
end

local function warnings()
    log, results = {}, {}
    local client, server = check.pair(listener, true)
    local warned
    skynet.fork(function()
        websocket.accept(server, {
            handshake = function(id)
                -- The client reads nothing of this.
                for _ = 1, 64 do
                    websocket.write(id, ("x"):rep(1 << 20))
                end
            end,
            warning = function(connection, size)
                warned = warned or { connection.id, size }
            end,
        })
        table.insert(results, {})
    end)
    socket.write(client, REQUEST .. "\r\n")
    socket.pause(client)
    eventually("a warning", function()
        return warned
    end)
    equal(warned[1], server, "id")
    assert(math.type(warned[2]) == "integer" and warned[2] > 1024, warned[2])
    socket.shutdown(client)
    socket.close(client)
    finished()
end

check.main {
    {
        "listen",
        function()
            listener = check.listener()
        end,
    },
    { "messages", messages },
    { "parts", parts },
    { "unread pings", unread_pings },
    { "ends", ends },
    { "bad handshakes", bad_handshakes },
    { "bad frames", bad_frames },
    { "limits", limits },
    { "upgrade", upgrade },
    {
        "upgrade of an interface",
        function()
            upgrade(true)
        end,
    },
    { "clients", clients },
    { "bad servers", bad_servers },
    { "warnings", warnings },
}

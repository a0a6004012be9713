--- HTTP and WebSocket over TLS. The config has the server's certificate, and whom clients trust.

local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local tlshelper = require "http.tlshelper"
local websocket = require "http.websocket"
local check = require "socket_check"

local equal, eventually, fails = check.equal, check.eventually, check.fails

local context = tlshelper.newctx()
context:set_cert(skynet.getenv "certfile", skynet.getenv "keyfile")

--- What a connection gets: a function of its read and write functions.
local answer
local connections = 0
local listener, host

local function serve(id)
    socket.start(id)
    local tls = tlshelper.newtls("server", context)
    tlshelper.init_responsefunc(id, tls)()
    answer(tlshelper.readfunc(id, tls), tlshelper.writefunc(id, tls), id, tls)
end

local function accept(id)
    connections = connections + 1
    -- Clients that do not trust the server, or go away, are no fault of its.
    pcall(serve, id)
    socket.close(id)
    connections = connections - 1
end

local function all_closed()
    eventually("all connections are closed", function()
        return connections == 0
    end)
end

-- Says what it was asked.
local function echo(read, write)
    local code, url, method, header, body = httpd.read_request(read, 1 << 20)
    equal(code, 200, "request")
    httpd.write_response(write, 200, method .. " " .. url .. " " .. (header.host or "") .. " " .. body)
end

check.main {
    {
        "begin",
        function()
            local id, _, port = socket.listen("127.0.0.1", 0)
            listener = id
            socket.start(id, accept)
            host = "127.0.0.1:" .. port
        end,
    },
    {
        "requests",
        function()
            answer = echo
            local code, body = httpc.get("https://" .. host, "/path")
            equal(code, 200, "code")
            equal(body, "GET /path " .. host .. " ", "body")
            local long = ("x"):rep(300000)
            code, body = httpc.request("POST", "HTTPS://" .. host, "/", nil, nil, long)
            equal(code, 200, "code")
            equal(body, "POST / " .. host .. " " .. long, "long body")
            all_closed()
        end,
    },
    {
        "a body until the end",
        function()
            for _, polite in ipairs { true, false } do
                answer = function(read, write, id, tls)
                    httpd.read_request(read)
                    write "HTTP/1.1 200 OK\r\n\r\nall "
                    write "of it"
                    if polite then
                        socket.write(id, tls:close())
                        -- The client is the one to close.
                        socket.block(id)
                    end
                end
                local code, body = httpc.get("https://" .. host, "/")
                equal(code, 200, "code")
                equal(body, "all of it", "body")
                all_closed()
            end
        end,
    },
    {
        "requests that arrive together",
        function()
            answer = function(read, write)
                for _ = 1, 3 do
                    echo(read, write)
                end
            end
            -- In one piece, and every byte in a record of its own.
            for _, size in ipairs { 1000, 1 } do
                local id = assert(socket.open("127.0.0.1", tonumber((host:match ":(%d+)"))))
                local tls = tlshelper.newtls("client", tlshelper.newctx(), "host.test")
                tlshelper.init_requestfunc(id, tls)()
                local read, write = tlshelper.readfunc(id, tls), tlshelper.writefunc(id, tls)
                local text = ("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"):rep(3)
                for at = 1, #text, size do
                    write(text:sub(at, at + size - 1))
                end
                local seen = ""
                while select(2, seen:gsub("POST /  body", "")) < 3 do
                    seen = seen .. read()
                end
                socket.close(id)
                all_closed()
            end
        end,
    },
    {
        "heads that are too large",
        function()
            local code
            answer = function(read)
                code = httpd.read_request(read)
            end
            local id = assert(socket.open("127.0.0.1", tonumber((host:match ":(%d+)"))))
            local tls = tlshelper.newtls("client", tlshelper.newctx(), "host.test")
            tlshelper.init_requestfunc(id, tls)()
            tlshelper.writefunc(id, tls)("GET / HTTP/1.1\r\nX: " .. ("x"):rep(100000))
            eventually("the request is refused", function()
                return code
            end)
            equal(code, 413, "code")
            socket.close(id)
            all_closed()
        end,
    },
    {
        "servers that are not trusted",
        function()
            answer = echo
            local port = host:match ":(%d+)"
            fails("certificate not valid for name", httpc.get, "https://localhost:" .. port, "/")
            fails("certificate not valid for name", websocket.connect, "wss://localhost:" .. port .. "/")
            all_closed()
        end,
    },
    {
        "a server without TLS",
        function()
            local id, _, port = socket.listen("127.0.0.1", 0)
            socket.start(id, function(new)
                socket.start(new)
                socket.write(new, "HTTP/1.1 400 Bad Request\r\n\r\n")
                socket.block(new)
                socket.close(new)
            end)
            fails("TLS handshake: received corrupt message", httpc.get, "https://127.0.0.1:" .. port, "/")
            socket.close(id)
        end,
    },
    {
        "WebSocket",
        function()
            local id, _, port = socket.listen("127.0.0.1", 0)
            local closed = 0
            local handle = {
                message = function(ws, content, kind)
                    websocket.write(ws, content, kind)
                end,
                close = function()
                    closed = closed + 1
                end,
            }
            socket.start(id, function(new, from)
                assert(websocket.accept(new, handle, "wss", from))
            end)
            local ws = websocket.connect("wss://127.0.0.1:" .. port .. "/chat")
            for _, size in ipairs { 0, 1, 125, 126, 65536, 200000 } do
                local text = ("x"):rep(size)
                websocket.write(ws, text, "binary")
                equal(websocket.read(ws) == text, true, "message")
            end
            websocket.close(ws)
            eventually("the server closes", function()
                return closed == 1
            end)
            socket.close(id)
        end,
    },
    {
        "end",
        function()
            socket.close(listener)
        end,
    },
}

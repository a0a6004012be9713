--- http.tlshelper: both sides are services' sockets.

local skynet = require "skynet"
local socket = require "skynet.socket"
local helper = require "http.sockethelper"
local tlshelper = require "http.tlshelper"
local check = require "socket_check"

local equal, fails = check.equal, check.fails

local function file(name)
    return skynet.getenv "certificates" .. "/" .. name .. ".pem"
end

local listener
local server_context = tlshelper.newctx()
local client_context = tlshelper.newctx()

-- Runs both parts at once: the server's as a task of its own, whose error is raised after the client's end.
local function meet(server_part, client_part)
    local client, server = check.pair(listener)
    local finished, ok, reason
    skynet.fork(function()
        ok, reason = xpcall(server_part, debug.traceback, server)
        socket.close(server)
        finished = true
    end)
    local client_ok, client_reason = xpcall(client_part, debug.traceback, client)
    if not client_ok then
        socket.close(client)
    end
    check.eventually("the server's part ends", function()
        return finished
    end)
    socket.close(client)
    assert(ok, reason)
    assert(client_ok, client_reason)
end

local function accept(fd)
    local tls = tlshelper.newtls("server", server_context)
    tlshelper.init_responsefunc(fd, tls)()
    return tlshelper.readfunc(fd, tls), tlshelper.writefunc(fd, tls), tls
end

local function connect(fd, hostname)
    local tls = tlshelper.newtls("client", client_context)
    tlshelper.init_requestfunc(fd, tls)(hostname or "host.test")
    return tlshelper.readfunc(fd, tls), tlshelper.writefunc(fd, tls), tls
end

check.main {
    {
        "begin",
        function()
            server_context:set_cert(file "server", file "server.key")
            listener = check.listener()
        end,
    },
    {
        "bytes and pieces",
        function()
            local text = ("0123456789"):rep(30000)
            meet(function(fd)
                local read, write = accept(fd)
                for size = 1, 100 do
                    equal(#read(size), size, "size")
                end
                equal(read(0), "", "nothing")
                equal(read(#text), text, "long text")
                write(text)
                equal(read(), "end", "what there is")
            end, function(fd)
                local read, write = connect(fd)
                write(("x"):rep(50))
                write(("x"):rep(5000))
                write(text)
                local pieces = {}
                local count = 0
                while count < #text do
                    local piece = read()
                    assert(#piece > 0)
                    pieces[#pieces + 1] = piece
                    count = count + #piece
                end
                equal(table.concat(pieces), text, "pieces")
                write "end"
            end)
        end,
    },
    {
        "the end",
        function()
            meet(function(fd)
                local read, write, tls = accept(fd)
                write "last words"
                equal(read(4), "stay", "read")
                socket.write(fd, tls:close())
                -- The other side knows the end though the socket is open.
                equal(socket.read(fd, 4), "seen", "plain text")
            end, function(fd)
                local read, write = connect(fd)
                equal(read(4), "last", "read")
                write "stay"
                -- What is there before the end can still be read.
                local ok, reason = pcall(read, 100)
                equal(ok, false, "ok")
                equal(reason, helper.socket_error, "error")
                equal(read(6), " words", "the rest")
                equal(read(0), "", "nothing")
                local _, again = pcall(read)
                equal(again, helper.socket_error, "error")
                socket.write(fd, "seen")
            end)
        end,
    },
    {
        "readall",
        function()
            -- With an end that is said, and with a socket that closes.
            for _, polite in ipairs { true, false } do
                local text = ("x"):rep(100000)
                meet(function(fd)
                    local _, write, tls = accept(fd)
                    write(text)
                    if polite then
                        socket.write(fd, tls:close())
                        equal(socket.read(fd, 4), "seen", "plain text")
                    end
                end, function(fd)
                    local _, _, tls = connect(fd)
                    equal(tlshelper.readallfunc(fd, tls)(), text, "readall")
                    socket.write(fd, "seen")
                    tlshelper.closefunc(tls)()
                    fails("context is closed", tls.read, tls)
                end)
            end
        end,
    },
    {
        "words with the handshake",
        function()
            for _, reader in ipairs { "readallfunc", "readfunc" } do
                -- In TLS 1.2, in a session that is new, the server's part ends last, and what it says next comes with it.
                local context = tlshelper.newctx()
                context:set_ciphers "ALL:!TLS_AES_256_GCM_SHA384:!TLS_CHACHA20_POLY1305_SHA256:!TLS_AES_128_GCM_SHA256"
                meet(function(fd)
                    local tls = tlshelper.newtls("server", server_context)
                    local reply
                    repeat
                        if reply then
                            socket.write(fd, reply)
                        end
                        reply = tls:handshake(socket.read(fd))
                    until tls:finished()
                    socket.write(fd, reply .. tls:write "words" .. tls:close())
                    equal(socket.read(fd, 4), "seen", "plain text")
                end, function(fd)
                    local tls = tlshelper.newtls("client", context, "host.test")
                    tlshelper.init_requestfunc(fd, tls)()
                    equal(tlshelper[reader](fd, tls)(), "words", reader)
                    socket.write(fd, "seen")
                end)
            end
        end,
    },
    {
        "a socket that closes",
        function()
            meet(function(fd)
                accept(fd)
            end, function(fd)
                local read = connect(fd)
                local _, reason = pcall(read, 1)
                equal(reason, helper.socket_error, "error")
            end)
            -- In the handshake.
            meet(function() end, function(fd)
                local _, reason = pcall(connect, fd)
                equal(reason, helper.socket_error, "error")
            end)
        end,
    },
    {
        "what is no TLS",
        function()
            meet(function(fd)
                fails("TLS handshake: received corrupt message", accept, fd)
            end, function(fd)
                socket.write(fd, "GET / HTTP/1.1\r\n\r\n")
                -- The alert: of the kind 21, 2 for fatal.
                equal(socket.read(fd, 6):byte(1), 21, "alert")
            end)
        end,
    },
    {
        "a server that is not trusted",
        function()
            client_context:set_ca(file "other")
            meet(function(fd)
                fails("TLS handshake: received fatal alert: UnknownCA", accept, fd)
            end, function(fd)
                fails("TLS handshake: invalid peer certificate: UnknownIssuer", connect, fd)
            end)
            client_context:set_ca(file "root")
            meet(accept, function(fd)
                connect(fd)
            end)
        end,
    },
    {
        "end",
        function()
            socket.close(listener.id)
        end,
    },
}

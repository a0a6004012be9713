--- ltls.c without sockets: what a program sees of it.

local skynet = require "skynet"
local c = require "ltls.c"
local check = require "socket_check"

local equal, fails = check.equal, check.fails

local function file(name)
    return skynet.getenv "certificates" .. "/" .. name .. ".pem"
end

local function server_context()
    local context = c.newctx()
    context:set_cert(file "server", file "server.key")
    return context
end

-- Both sides after their handshake.
local function pair(server_ctx, client_ctx, hostname)
    local server = c.newtls("server", server_ctx or server_context())
    local client = c.newtls("client", client_ctx or c.newctx(), hostname)
    local sent = client:handshake()
    repeat
        local answer = server:handshake(sent)
        sent = nil
        if client:finished() then
            client:read(answer)
        elseif answer then
            sent = client:handshake(answer)
        end
    until server:finished()
    equal(client:finished() and server:finished(), true, "finished")
    return server, client
end

check.main {
    {
        "handshake",
        function()
            local server, client = pair()
            equal(client:read(server:write "hello"), "hello", "read")
            local text = ("0123456789"):rep(100000)
            equal(server:read(client:write(text)), text, "long text")
            equal(client:write(), "", "write without a text")
            equal(client:read(), "", "read without bytes")
            equal(server:read(client:write(42)), "42", "a number")
            fails("handshake is finished", client.handshake, client, "")
            equal(server:ended(), false, "ended")
            equal(server:read(client:close()), "", "close_notify")
            equal(server:ended(), true, "ended")
            equal(client:close(), nil, "closed again")
            for _, method in ipairs { "handshake", "read", "write", "finished", "ended", "set_ext_host_name" } do
                fails("context is closed", client[method], client, "x")
            end
        end,
    },
    {
        "arguments",
        function()
            local context = c.newctx()
            fails("invalid method:nil e.g[server, client]", c.newtls, nil, context)
            fails("invalid method:peer e.g[server, client]", c.newtls, "peer", context)
            fails("need sslctx", c.newtls, "client")
            fails("need sslctx", c.newtls, "client", io.stdout)
            fails("need sslctx", context.set_cert, c.newtls("client", context))
            fails("need tls context", c.newtls("client", context).read, context)
            fails("need tls context", c.newtls("client", context).close, nil)
            fails("need certfile", context.set_cert, context)
            fails("need private key", context.set_cert, context, file "server")
            fails("need cipher list", context.set_ciphers, context)
            fails("need cafile", context.set_ca, context, {})
            fails("TLS newtls: 'a b' is not the name", c.newtls, "client", context, "a b")
            fails("string expected, got table", c.newtls, "client", context, {})
            local tls = c.newtls("client", context)
            fails("string expected, got table", tls.handshake, tls, {})
            equal(tls:set_ext_host_name "host.test", 1, "set_ext_host_name")
            fails("TLS set_ext_host_name: '' is not", tls.set_ext_host_name, tls, "")
            fails("TLS write: the handshake is not finished", tls.write, tls, "x")
            equal(tls:write(), "", "write")
            equal(tls:close(), nil, "close")
        end,
    },
    {
        "files",
        function()
            local context = c.newctx()
            fails("TLS set_cert: cannot read ./none.pem: No such file", context.set_cert, context, "./none.pem", "x")
            fails("is not that of the certificate", context.set_cert, context, file "server", file "root.key")
            fails("TLS set_ca: cannot read", context.set_ca, context, file "none")
            fails("TLS set_ciphers: no cipher of 'RC4-SHA' is known", context.set_ciphers, context, "RC4-SHA")
            local tls = c.newtls("server", context)
            fails("TLS handshake: a server needs a certificate: call set_cert", tls.handshake, tls)
        end,
    },
    {
        "verification",
        function()
            local context = c.newctx()
            context:set_ca(file "root")
            pair(nil, context, "host.test")
            fails("certificate not valid for name \"other.test\"", pair, nil, context, "other.test")
            fails("the server's host name is needed", pair, nil, context)
            pair(nil, nil, "other.test")
        end,
    },
    {
        "ciphers",
        function()
            local some, others = c.newctx(), server_context()
            some:set_ciphers "ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256"
            others:set_ciphers "ECDHE-ECDSA-AES256-GCM-SHA384:TLS_AES_256_GCM_SHA384"
            fails("TLS handshake: peer is incompatible", pair, others, some)
            others:set_ciphers "HIGH:!aNULL:!MD5"
            pair(others, some)
        end,
    },
    {
        "what is no TLS",
        function()
            local tls = c.newtls("server", server_context())
            for _ = 1, 2 do
                fails("TLS handshake: received corrupt message", tls.handshake, tls, "GET / HTTP/1.1\r\n\r\n")
            end
            equal(#tls:write(), 7, "an alert")
            fails("TLS write: received corrupt message", tls.write, tls, "x")
            local _, client = pair()
            fails("TLS read: received corrupt message", client.read, client, "HTTP/1.1 400 Bad Request\r\n")
        end,
    },
    {
        "collection",
        function()
            -- Connections keep what they need of their context.
            local server, client = pair()
            collectgarbage()
            equal(client:read(server:write "x"), "x", "read")
            local late = c.newtls("server", server_context())
            collectgarbage()
            fails("received corrupt message", late.handshake, late, "\0\0\0\0\0\0")
            -- A finaliser that is called by hand leaves nothing to use.
            local context = c.newctx()
            debug.getmetatable(context).__gc(context)
            fails("need sslctx", context.set_ciphers, context, "ALL")
            debug.getmetatable(server).__gc(server)
            fails("context is closed", server.read, server)
            -- Nor is it used after it was closed by the finaliser of something else, at any moment.
            for size = 1, 20 do
                local text = ("x"):rep(size * 5000)
                local sender, reader = pair()
                setmetatable({}, {
                    __gc = function()
                        sender:close()
                        reader:close()
                    end,
                })
                fails("context is closed", function()
                    for _ = 1, 1000 do
                        local read = reader:read(sender:write(text))
                        assert(read == text, #read)
                    end
                end)
            end
            -- The memory of many comes back.
            local memory = require "skynet.memory"
            local contexts = { server_context(), c.newctx() }
            local function use()
                for _ = 1, 20 do
                    pair(contexts[1], contexts[2])
                end
                collectgarbage()
                return memory.current()
            end
            local before = use()
            for _ = 1, 5 do
                use()
            end
            local grown = use() - before
            assert(grown < 300000, grown)
        end,
    },
    {
        "init",
        function()
            local init = require "ltls.init.c"
            equal(init.constructor(), nil, "constructor")
            equal(init.destructor(), nil, "destructor")
            pair()
        end,
    },
}

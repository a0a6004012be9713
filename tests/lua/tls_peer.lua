--- One side of TLS on a connection to what tests/tls.rs listens with; `what` says which side, and what is expected.

local skynet = require "skynet"
local socket = require "skynet.socket"
local tlshelper = require "http.tlshelper"
local check = require "socket_check"

local equal, fails = check.equal, check.fails

local function file(name)
    return skynet.getenv "certificates" .. "/" .. name .. ".pem"
end

local sides = {}

-- The peer is a client that sends a line and waits for another one.
function sides.server(id)
    local context = tlshelper.newctx()
    context:set_cert(file "server", file "server.key")
    local tls = tlshelper.newtls("server", context)
    tlshelper.init_responsefunc(id, tls)()
    equal(tlshelper.readfunc(id, tls)(5), "ping\n", "line")
    tlshelper.writefunc(id, tls) "pong\n"
    equal(tlshelper.readallfunc(id, tls)(), "", "no more lines")
    tlshelper.closefunc(tls)()
end

local function connect(id, context)
    context = context or tlshelper.newctx()
    local tls = tlshelper.newtls("client", context, "host.test")
    tlshelper.init_requestfunc(id, tls)()
    return tls
end

-- The peer is a server that sends lines back, reversed.
function sides.client(id, context)
    local tls = connect(id, context)
    local read, write = tlshelper.readfunc(id, tls), tlshelper.writefunc(id, tls)
    for _ = 1, 3 do
        write "ping\n"
        equal(read(5), "gnip\n", "line")
    end
    socket.write(id, tls:close())
end

-- The same, and the peer wants a certificate.
function sides.known(id)
    local context = tlshelper.newctx()
    context:set_cert(file "server", file "server.key")
    sides.client(id, context)
end

-- The peer is a server that nobody should trust.
function sides.refusal(id)
    fails("invalid peer certificate: UnknownIssuer", connect, id)
end

check.main {
    {
        "peer",
        function()
            local id = assert(socket.open("127.0.0.1", tonumber(skynet.getenv "port")))
            sides[skynet.getenv "what"](id)
            socket.close(id)
        end,
    },
}

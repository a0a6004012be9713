--- A client of what tests/socket_lua.rs listens with, which speaks in its own way; `what` says in which.

local skynet = require "skynet"
local socket = require "skynet.socket"
local check = require "socket_check"

local equal, eventually = check.equal, check.eventually

local peers = {}

-- One byte at a time: lines, counted bytes, separators that come in pieces.
function peers.slow(id)
    for i = 1, 20 do
        equal(socket.readline(id, "\r\n"), "line " .. i, "line")
    end
    for i = 1, 20 do
        local size = socket.header(socket.read(id, 2))
        equal(size, i, "header")
        equal(socket.read(id, size), ("x"):rep(i), "packet")
    end
    equal(socket.readall(id), "the end", "readall")
end

-- The peer sends no more, but it still reads.
function peers.half(id)
    equal(socket.read(id, 100), false, "read")
    equal(socket.disconnected(id), true, "disconnected")
    -- This is more than the system keeps by itself.
    equal(socket.write(id, ("y"):rep(8 << 20)), true, "write")
    equal(socket.write(id, "last"), true, "write")
end

-- The peer resets the connection.
function peers.reset(id)
    equal(socket.readline(id), "going", "line")
    socket.write(id, "go")
    local line = socket.readline(id)
    equal(line, false, "line")
    eventually("the socket is closed", function()
        return socket.disconnected(id)
    end)
end

-- The peer sends without an end what nobody can use.
function peers.flood(id)
    socket.limit(id, 64 << 10)
    local line, rest = socket.readline(id)
    equal(line, false, "line")
    assert(#rest <= 256 << 10, #rest)
end

check.main {
    {
        "peer",
        function()
            local id = assert(socket.open("127.0.0.1", tonumber(skynet.getenv "port")))
            peers[skynet.getenv "what"](id)
            socket.close(id)
            equal(socket.invalid(id), true, "closed")
        end,
    },
}

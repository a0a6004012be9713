-- A Lua service that speaks on sockets through a C module of a third party, sockets.c:
-- it talks to itself. What it prints is in socket_module.expected.

local core = require "skynet.core"
local sockets = require "sockets"

local PTYPE_SOCKET <const> = 6
local ROUNDS <const> = 5

local types = { "data", "connect", "close", "accept", "error", "udp", "warning" }
local listener, client, server
local rounds = 0
local received = ""

---@param round integer
local function line(round)
    return ("line %d%s\n"):format(round, ("."):rep(100 * round))
end

local handlers = {}

function handlers.connect(id, number, text)
    if id == listener and number > 0 then
        print("listening on " .. text)
        sockets.start(listener)
        client = sockets.connect("127.0.0.1", number)
    elseif id == client then
        print("connected to " .. text)
        sockets.nodelay(client)
        print("sent", sockets.send(client, line(0)))
    end
end

function handlers.accept(id, number, text)
    assert(id == listener and text:match("^127%.0%.0%.1:%d+$"), text)
    server = number
    sockets.start(server)
end

function handlers.data(id, size, data)
    assert(size == #data)
    if id == server then
        sockets.send(server, data:upper())
        return
    end
    received = received .. data
    if received ~= line(rounds):upper() then
        return
    end
    print("received", #received, received:match("^[^.\n]*"))
    received = ""
    rounds = rounds + 1
    if rounds < ROUNDS then
        sockets.send(client, line(rounds))
    else
        sockets.close(client)
    end
end

function handlers.close(id)
    print(id == client and "the client is closed" or "the server is closed")
    if id == server then
        sockets.close(server)
        print("sent after the close", sockets.send(client, "x"))
        core.command("ABORT")
    end
end

core.callback(function(ptype, msg, size)
    if ptype ~= PTYPE_SOCKET then
        return
    end
    local kind, id, number, text = sockets.unpack(msg, size)
    local handler = handlers[types[kind]]
    if handler then
        handler(id, number, text)
    else
        print(types[kind], id, number, text)
    end
end)

listener = sockets.listen("127.0.0.1", 0)

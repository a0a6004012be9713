--- Who may log in, and where to: the login server. This program runs as one master and a few slaves; see
--- snax.loginserver for which of them calls what.

local skynet = require "skynet"
local login = require "snax.loginserver"

-- A real one would ask a database, and for something better than passwords in the clear.
local PASSWORDS <const> = { alice = "wonderland", bob = "builder" }

--- name -> a game server: its service, and the port its clients connect to
---@type table<string, { address: integer, port: integer }>
local servers = {}

--- player -> where the player is logged in
---@type table<string, { address: integer, ticket: integer }>
local online = {}

local address, port = ...

---@type snax.loginserver.conf
local conf = {
    name = "accounts",
    host = address,
    port = port,
    instance = 2,
}

--- A token is what the client wants to be checked: here "player@server:password".
function conf.auth_handler(token)
    local player, server, password = token:match "^(%w+)@(%w+):(%w+)$"
    assert(player and PASSWORDS[player] == password, "wrong password")
    return server, player
end

--- The client gets a ticket, which is its subid, and the port of the game server.
function conf.login_handler(name, player, secret)
    local server = assert(servers[name], "no such game server")
    local before = online[player]
    if before then
        skynet.call(before.address, "lua", "kick", player, before.ticket)
    end
    local ticket = skynet.call(server.address, "lua", "login", player, secret)
    online[player] = { address = server.address, ticket = ticket }
    return ("%d %d"):format(ticket, server.port)
end

--- From the game servers.
local commands = {}

function commands.register(name, server, its_port)
    servers[name] = { address = server, port = its_port }
end

function commands.logout(player, ticket)
    local session = online[player]
    if session and session.ticket == ticket then
        online[player] = nil
    end
end

function conf.command_handler(name, ...)
    local command = assert(commands[name], "no such command")
    return command(...)
end

login(conf)

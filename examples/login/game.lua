--- The game server. Each player has a service that plays for it, whether or not there is a connection at the moment.

local skynet = require "skynet"
local msgserver = require "snax.msgserver"

local accounts = assert(math.tointeger((...)), "the login server is missing")
local servername
local tickets = 0

--- name of msgserver -> the player's service
---@type table<string, integer>
local players = {}

---@type snax.msgserver.conf
local conf = {}

function conf.register_handler(name, gate)
    servername = name
    skynet.call(accounts, "lua", "register", name, skynet.self(), gate.port)
    return gate.port
end

--- From the login server.
function conf.login_handler(player, secret)
    tickets = tickets + 1
    local ticket = tickets
    local name = msgserver.username(player, ticket, servername)
    players[name] = skynet.newservice("player", player, ticket, skynet.self())
    msgserver.login(name, secret)
    return ticket
end

--- From the player's service.
function conf.logout_handler(player, ticket)
    local name = msgserver.username(player, ticket, servername)
    if players[name] then
        players[name] = nil
        msgserver.logout(name)
        skynet.call(accounts, "lua", "logout", player, ticket)
    end
end

--- From the login server: the player has logged in again.
function conf.kick_handler(player, ticket)
    local service = players[msgserver.username(player, ticket, servername)]
    if service then
        skynet.call(service, "lua", "leave")
    end
end

function conf.disconnect_handler(name)
    if players[name] then
        skynet.send(players[name], "lua", "disconnected")
    end
end

function conf.request_handler(name, order)
    local service = assert(players[name], "the player has left")
    return skynet.tostring(skynet.rawcall(service, "client", order))
end

msgserver.start(conf)

--- Plays for one player. Requests are text: "take N" adds to the treasure and answers with what it is then, "think N"
--- answers after N hundredths of a second, "leave" logs the player out.

local skynet = require "skynet"

local name, ticket, game = ...
ticket, game = math.tointeger(ticket), math.tointeger(game)

local treasure = 0
local left = false

--- Logs the player out, once. The game server closes the connections.
local function leave()
    if not left then
        left = true
        skynet.call(game, "lua", "logout", name, ticket)
        skynet.error(("%s leaves with %d"):format(name, treasure))
    end
end

local requests = {}

function requests.take(amount)
    treasure = treasure + assert(math.tointeger(amount), "take how many?")
    return tostring(treasure)
end

function requests.think(duration)
    skynet.sleep(assert(math.tointeger(duration), "think for how long?"))
    return "it was " .. name
end

function requests.leave()
    skynet.fork(function()
        leave()
        skynet.exit()
    end)
    return "farewell"
end

skynet.register_protocol {
    name = "client",
    id = skynet.PTYPE_CLIENT,
    unpack = skynet.tostring,
    dispatch = function(_, _, order)
        local what, argument = order:match "^(%l+) ?(.*)$"
        local request = assert(requests[what], "no such request")
        skynet.ret(request(argument))
    end,
}

local commands = {}

function commands.disconnected()
    skynet.error(name .. " is away")
end

--- The login server wants the player out.
function commands.leave()
    leave()
    skynet.retpack(true)
    skynet.exit()
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, command)
        commands[command]()
    end)
end)

--- A chat. Each player's client has a connection to the gate and an agent of its own; what one of them says, the room
--- tells all the others.

local skynet = require "skynet"

---@param key string
---@return integer
local function number(key)
    return assert(math.tointeger(tonumber(skynet.getenv(key))), key .. " must be an integer")
end

skynet.start(function()
    skynet.uniqueservice "room"
    local watchdog = skynet.newservice "watchdog"
    local address, port = skynet.call(watchdog, "lua", "open", {
        address = skynet.getenv "chat_address",
        port = number "chat_port",
        -- The gate has room for one less.
        maxclient = number "chat_players" + 1,
        nodelay = true,
    })
    skynet.error(("The chat is open at %s:%d"):format(address, port))
    skynet.exit()
end)

--- A login server, which knows the players' passwords, and a game server, which knows their treasures. A player who has
--- logged in connects to the game server, and may do so again whenever the connection breaks.

local skynet = require "skynet"

---@param key string
---@return integer
local function number(key)
    return (assert(math.tointeger(tonumber(skynet.getenv(key))), key .. " must be an integer"))
end

skynet.start(function()
    local accounts = skynet.newservice("accounts", skynet.getenv "login_address", number "login_port")
    local game = skynet.newservice("game", accounts)
    local port = skynet.call(game, "lua", "open", {
        servername = "castle",
        address = skynet.getenv "login_address",
        port = number "game_port",
        -- The gate has room for one less.
        maxclient = number "game_players" + 1,
        nodelay = true,
    })
    skynet.error(("The castle is open at port %d"):format(port))
    skynet.exit()
end)

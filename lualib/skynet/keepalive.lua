--- Connections between nodes, which end when the other one's machine or the way to it has vanished. Nothing is sent that
--- the other node could see: the systems ask each other. It needs this project's core; on another one nothing happens.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"

local keepalive = {}

--- How long the other machine may be silent, nil for as long as TCP takes it. Seconds.
---@type integer?
keepalive.SECONDS = 4

local set = skynet.getenv "node_silence"
if set then
    local seconds = math.tointeger(tonumber(set))
    if not seconds or seconds < 0 or seconds == 1 then
        error(("config key node_silence: 0 or 2 and more seconds are needed, not %s"):format(set))
    end
    keepalive.SECONDS = seconds > 0 and seconds or nil
end

---@param id integer
function keepalive.watch(id)
    if keepalive.SECONDS and driver.keepalive then
        driver.keepalive(id, keepalive.SECONDS)
    end
end

return keepalive

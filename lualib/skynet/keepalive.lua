--- Connections between nodes, which end when the other one's machine or the way to it has vanished. Nothing is sent that
--- the other node could see: the systems ask each other. It needs this project's core; on another one nothing happens.

local driver = require "skynet.socketdriver"

local keepalive = {}

--- How long the other machine may be silent. Seconds.
keepalive.SECONDS = 4

---@param id integer
function keepalive.watch(id)
    if driver.keepalive then
        driver.keepalive(id, keepalive.SECONDS)
    end
end

return keepalive

--- A node to look into with the debug console.

local skynet = require "skynet"

skynet.start(function()
    skynet.newservice("debug_console", skynet.getenv "console_port")
    skynet.newservice "counter"
    skynet.uniqueservice "idle"
    skynet.exit()
end)

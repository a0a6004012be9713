--- Sends to 19-testluamsg in the name of 20-testsendmsg.

local skynet = require "skynet"

skynet.start(function()
    skynet.error("testredirect self", skynet.self())
    local source = skynet.localname ".testsendmsg"
    local dest = skynet.localname ".testluamsg"
    skynet.redirect(dest, source, "lua", 0, skynet.pack("test redirect msg", 11, true))
end)

-- The main chunk ends before the start function runs.
skynet.error "aaa"

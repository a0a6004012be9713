--- Sends to 19-testluamsg, packed by send and packed beforehand.

local skynet = require "skynet.manager"

skynet.start(function()
    skynet.error("testsendmsg self", skynet.self())
    skynet.register ".testsendmsg"
    local dest = skynet.localname ".testluamsg"
    skynet.error("skynet.send return value:", skynet.send(dest, "lua", 99, "testmsg99", true))
    -- What rawsend got is freed by the framework, once it has been handled.
    skynet.error("skynet.rawsend return value:",
        skynet.rawsend(dest, "lua", skynet.pack(100, "testmsg100", false)))
end)

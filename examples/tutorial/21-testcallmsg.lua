--- Calls 19-testluamsg and waits for its answers.

local skynet = require "skynet.manager"

skynet.start(function()
    skynet.register ".testcallmsg"
    local answer = skynet.call(".testluamsg", "lua", 101, "testcallmsg", false)
    skynet.error("skynet.call return value:", answer)

    -- rawcall neither packs the request nor unpacks the answer.
    local request, size = skynet.pack(102, "testrawcallmsg", true)
    answer = skynet.unpack(skynet.rawcall(".testluamsg", "lua", request, size))
    skynet.error("skynet.rawcall return value:", answer)
end)

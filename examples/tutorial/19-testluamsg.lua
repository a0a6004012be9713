--- Logs every lua message it gets. A call is answered as well, after a second.

local skynet = require "skynet.manager"

local ONE_SECOND <const> = 100 // (tonumber(skynet.getenv "tutorial_hurry") or 1)

local function show(session, address, ...)
    skynet.error("co", coroutine.running())
    -- A send has session 0; a call has one of its own, which comes back with the answer.
    skynet.error("session", session)
    skynet.error("address", session == 0 and skynet.address(address) or address)
    for i = 1, select("#", ...) do
        skynet.error("arg" .. i .. ":", (select(i, ...)))
    end
end

skynet.start(function()
    skynet.error("testluamsg self", skynet.self())
    skynet.dispatch("lua", function(session, address, ...)
        if session == 0 then
            show(session, address, ...)
        else
            skynet.sleep(ONE_SECOND)
            show(session, address, ...)
            skynet.retpack "ret call msg"
        end
    end)
    skynet.register ".testluamsg"
    skynet.error("co", coroutine.running())
end)

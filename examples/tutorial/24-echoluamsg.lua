--- Answers every call with its text in capitals, one to five seconds later, and with the call's session.

local skynet = require "skynet.manager"

local HURRY <const> = tonumber(skynet.getenv "tutorial_hurry") or 1

skynet.start(function()
    skynet.dispatch("lua", function(session, _, text, index)
        skynet.sleep(math.random(100, 500) // HURRY)
        skynet.retpack(text:upper(), index, " session:", session)
    end)
    skynet.register ".echoluamsg"
end)

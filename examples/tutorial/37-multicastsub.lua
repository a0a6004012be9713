--- Subscribes to the channel whose id is its argument, for five seconds.

local skynet = require "skynet"
local multicast = require "skynet.multicast"

local FIVE_SECONDS <const> = 500 // (tonumber(skynet.getenv "tutorial_hurry") or 1)

local id = tonumber((...))

skynet.start(function()
    local channel = multicast.new {
        channel = id,
        dispatch = function(channel, source, text)
            skynet.error("channel ID:", channel, "source:", skynet.address(source), "msg:", text)
        end,
    }
    channel:subscribe()
    skynet.timeout(FIVE_SECONDS, function()
        channel:unsubscribe()
    end)
end)

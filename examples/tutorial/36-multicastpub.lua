--- Makes a channel, publishes to it once a second, and deletes it in the end.

local skynet = require "skynet"
local multicast = require "skynet.multicast"

local ONE_SECOND <const> = 100 // (tonumber(skynet.getenv "tutorial_hurry") or 1)

skynet.start(function()
    local channel = multicast.new()
    skynet.error("new channel ID", channel.channel)
    skynet.fork(function()
        for i = 0, 10 do
            skynet.sleep(ONE_SECOND)
            channel:publish("data" .. i)
        end
        channel:delete()
        skynet.exit()
    end)
end)

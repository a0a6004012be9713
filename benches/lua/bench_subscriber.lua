-- Counts what comes on a channel, and reports every sixteenth message.

local skynet = require "skynet"
local multicast = require "skynet.multicast"

local BATCH <const> = 16

local publisher
local got = 0

local function arrived()
    got = got + 1
    if got % BATCH == 0 then
        skynet.send(publisher, "lua", "report")
    end
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, id, source)
        publisher = source
        multicast.new({ channel = id, dispatch = arrived }):subscribe()
        skynet.retpack(true)
    end)
end)

-- Publishes without pause, at most two batches ahead of what all subscribers have got.

local skynet = require "skynet"
local multicast = require "skynet.multicast"

local BATCH <const> = 16

local channel
local subscribers
local handled = 0 -- deliveries
local reports = 0 -- of the subscribers, in the batch under way

local command = {}

local function publish()
    for i = 1, BATCH do
        channel:publish("position", i, 1200.5, -340)
    end
end

function command.channel()
    channel = multicast.new()
    skynet.retpack(channel.channel)
end

function command.start(n)
    subscribers = n
    publish()
    publish()
end

---A subscriber has got a batch.
function command.report()
    handled = handled + BATCH
    reports = reports + 1
    if reports == subscribers then
        reports = 0
        publish()
    end
end

function command.count()
    skynet.retpack(handled, skynet.hpc())
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        command[name](...)
    end)
end)

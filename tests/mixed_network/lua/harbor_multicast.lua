--- A channel of one harbor with subscribers and publishers in both.

local skynet = require "skynet.manager"
local harbor = require "skynet.harbor"
local multicast = require "skynet.multicast"
local report = require "report"

local mode, number = ...

if mode == "listener" then
    skynet.start(function()
        local channel = multicast.new {
            channel = tonumber(number),
            dispatch = function(_, source, ...)
                report.line("heard", ("from harbor %d"):format(source >> 24), ...)
            end,
        }
        channel:subscribe()
        skynet.dispatch("lua", function(_, _, name)
            channel[name](channel)
            skynet.retpack()
        end)
    end)
    return
end

local listeners = {}
local answers = {}

---@param channel integer
function answers.listen(channel)
    for i = 1, 3 do
        listeners[i] = skynet.newservice(SERVICE_NAME, "listener", channel)
    end
end

function answers.publish(channel, ...)
    multicast.new { channel = channel }:publish(...)
end

function answers.tell(i, ...)
    skynet.call(listeners[i], "lua", ...)
end

local function one()
    harbor.connect(2)
    local two = harbor.queryname "TEST_two"
    local function ask(...)
        return skynet.call(two, "lua", ...)
    end
    local channel = multicast.new()
    report.line("channel", tostring(channel))
    answers.listen(channel.channel)
    ask("listen", channel.channel)
    for i = 1, 5 do
        channel:publish("from one", i)
    end
    for i = 1, 5 do
        ask("publish", channel.channel, "from two", i)
    end
    channel:publish(report.blob(1 << 20), nil, true)
    ask("publish", channel.channel, report.blob(1 << 20), { 1 })
    skynet.error "published"
    skynet.sleep(50)
    -- One of each harbor's leaves, and comes back.
    answers.tell(1, "unsubscribe")
    ask("tell", 1, "unsubscribe")
    skynet.sleep(20)
    channel:publish "to the others"
    skynet.sleep(20)
    answers.tell(1, "subscribe")
    ask("tell", 1, "subscribe")
    channel:publish "to all again"
    skynet.sleep(20)
    -- The last ones of the other harbor.
    for i = 1, 3 do
        ask("tell", i, "unsubscribe")
    end
    skynet.sleep(20)
    channel:publish "to one's own"
    report.call("published by none", ask, "publish", channel.channel, "from two, without a subscriber")
    skynet.sleep(20)
    local identity = channel.channel
    channel:delete()
    report.call("publish after delete", channel.publish, channel, "nobody")
    skynet.sleep(20)
    report.call("publish to what was deleted", answers.publish, identity, "nobody")
    skynet.error "one is through"
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        skynet.retpack(answers[name](...))
    end)
    if skynet.getenv "role" == "one" then
        skynet.fork(one)
    else
        skynet.name("TEST_two", skynet.self())
    end
end)

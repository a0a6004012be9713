--- skynet.multicast, skynet.datacenter and skynet.mqueue on two nodes: 1 is the master, 2 is killed in the end.

local skynet = require "skynet.manager"
local datacenter = require "skynet.datacenter"
local harbor = require "skynet.harbor"
local memory = require "skynet.memory"
local mqueue = require "skynet.mqueue"
local multicast = require "skynet.multicast"
local check = require "socket_check"
local print = require "print_line"

local equal, fails, eventually = check.equal, check.fails, check.eventually

local MESSAGES <const> = 500
local text <const> = ("payload"):rep(500)

-- Both nodes pass a point together; the value is for the other one.
local this_node = skynet.harbor(skynet.self())
local other_node = 3 - this_node
local function meet(point, value)
    datacenter.set(point, this_node, value == nil and true or value)
    return datacenter.wait(point, other_node)
end

local function listener(id)
    local seen = {}
    local channel = multicast.new {
        channel = id,
        dispatch = function(_, source, ...)
            table.insert(seen, { source, ... })
        end,
    }
    channel:subscribe()
    return channel, seen
end

-- How many messages multicastd has had, more or less.
local function daemon_messages()
    return skynet.call(skynet.uniqueservice "multicastd", "debug", "STAT").message
end

-- Another node has deleted a channel: what is published to it comes no more.
local function ends(channel, seen)
    eventually("the channel is gone", function()
        local count = #seen
        channel:publish "to nobody"
        skynet.sleep(5)
        return #seen == count
    end)
end

-- What both nodes do, each with a channel of its own and the other's.
local function both()
    local own, from_own = listener()
    equal(own.channel % 256, this_node, "the node in an id")
    local far, from_far = listener(meet("channel", own.channel))
    local peer = meet("self", skynet.self())
    for i = 1, 100 do
        own:publish("own", i)
        far:publish("far", i, nil)
    end
    local function check_order(seen, mine)
        eventually("messages of both nodes", function()
            return #seen == 200
        end)
        local last = { [skynet.self()] = 0, [peer] = 0 }
        for _, what in ipairs(seen) do
            equal(what[2], (what[1] == skynet.self()) == mine and "own" or "far", "the kind")
            equal(what[3], last[what[1]] + 1, "order of a publisher's")
            last[what[1]] = what[3]
        end
    end
    check_order(from_own, true)
    check_order(from_far, false)
    -- All subscribers see one order.
    local sources = {}
    for i, what in ipairs(from_own) do
        sources[i] = what[1]
    end
    for i, source in ipairs(meet("order", sources)) do
        equal(from_far[i][1], source, "the other node's order")
    end

    own:publish(text:rep(100))
    eventually("a large one", function()
        return #from_far == 201 and #from_own == 201
    end)
    equal(from_far[201][2], text:rep(100), "the large one")

    meet "large"
    far:unsubscribe()
    -- Multicastd has told the other node when it answers.
    daemon_messages()
    meet "unsubscribed"
    local before = daemon_messages()
    for _ = 1, 100 do
        own:publish "nobody there"
    end
    meet "published"
    -- Each of those is one here; with those of the other node it would be 200.
    assert(daemon_messages() - before < 150, "the other node sends what nobody has subscribed to")
    eventually("one's own", function()
        return #from_own == 301
    end)
    equal(#from_far, 201, "messages after unsubscribe")

    far:subscribe()
    meet "subscribed"
    own:delete()
    meet "deleted"
    ends(far, from_far)
    local late, nothing = listener(far.channel)
    late:publish "to nobody"
    -- A channel that is deleted from the other node.
    local third, from_third = listener()
    local far_third = multicast.new { channel = meet("third", third.channel) }
    meet "third there"
    far_third:delete()
    ends(third, from_third)
    equal(#nothing, 0, "messages of a channel that is gone")
end

local function queues()
    if this_node == 1 then
        local sent
        mqueue.register(function(what, ...)
            if what == "sent" then
                sent = true
                return
            end
            return what, sent, ...
        end)
        skynet.register "QUEUE"
        meet "queue"
        meet "queue asked"
    else
        meet "queue"
        mqueue.send("QUEUE", "sent")
        local what, sent, nothing, last = mqueue.call("QUEUE", "called", nil, 3)
        equal(what, "called", "a result")
        equal(sent, true, "what was sent before")
        equal(nothing, nil, "a nil")
        equal(last, 3, "the last")
        meet "queue asked"
    end
end

local function values()
    if this_node == 1 then
        skynet.sleep(5)
        equal(datacenter.set("deep", "er", "value"), nil, "the value before")
        meet "values"
    else
        equal(datacenter.wait("deep", "er"), "value", "it has come")
        equal(datacenter.get("deep").er, "value", "a branch")
        equal(datacenter.get("deep", "other"), nil, "nothing")
        meet "values"
    end
end

local function frees(publish)
    publish()
    skynet.sleep(5)
    local before = memory.block()
    publish()
    eventually("what was published is freed", function()
        return memory.block() <= before + MESSAGES // 10
    end)
end

local function lose_node()
    local own, from_own = listener()
    local far, from_far = listener(meet("last channel", own.channel))
    if this_node == 2 then
        local handle = skynet.newservice "multicast_member"
        skynet.call(handle, "lua", "subscribe", far.channel)
        meet "last"
        print "kill this node"
        return skynet.wait()
    end
    meet "last"
    -- The other node takes some, and goes.
    for _ = 1, MESSAGES do
        own:publish(text)
    end
    print "kill the other node"
    local linked = true
    skynet.fork(function()
        harbor.link(other_node)
        linked = false
    end)
    while linked do
        own:publish(text)
        skynet.yield()
    end
    local count = #from_own
    frees(function()
        for _ = 1, MESSAGES do
            own:publish(text)
        end
        count = count + MESSAGES
        eventually("this node's subscriber has all", function()
            return #from_own >= count
        end)
        for i = #from_own, 1, -1 do
            from_own[i] = nil
        end
        count = 0
    end)
    frees(function()
        for _ = 1, MESSAGES do
            far:publish(text)
        end
    end)
    equal(#from_far, 0, "messages of a channel whose node is gone")
    far:unsubscribe()
    fails("call failed", far.subscribe, far)
end

check.main {
    { "channels of two nodes", both },
    { "a queue behind a global name", queues },
    { "values of the network", values },
    { "a node is lost", lose_node },
}

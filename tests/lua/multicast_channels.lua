--- skynet.multicast on one node: who is sent what, in which order, and what is said of what is gone.

local skynet = require "skynet.manager"
local multicast = require "skynet.multicast"
local check = require "socket_check"

local equal, fails, eventually = check.equal, check.fails, check.eventually

local function member()
    local handle = skynet.newservice "multicast_member"
    return function(...)
        return skynet.call(handle, "lua", ...)
    end, handle
end

local function gets(tell, id, count)
    eventually("a subscriber sees " .. count, function()
        return tell("count", id) >= count
    end)
    local seen = tell("seen", id)
    equal(#seen, count, "messages")
    return seen
end

check.main {
    {
        "all subscribers see all messages in order",
        function()
            local channel = multicast.new()
            local id = channel.channel
            equal(tostring(channel), ("[Multicast:%x]"):format(id), "as text")
            local members = {}
            for i = 1, 5 do
                members[i] = member()
                members[i]("subscribe", id, i % 2 == 0 and "raw" or "plain")
            end
            for i = 1, 100 do
                channel:publish(i, nil, "text")
            end
            for i, tell in ipairs(members) do
                local seen = gets(tell, id, 100)
                for n, what in ipairs(seen) do
                    equal(what[1], i % 2 == 0 and what[1] or n, "order")
                    equal(what.source, skynet.self(), "source")
                    equal(what.n, i % 2 == 0 and 1 or 3, "number of values")
                end
            end
        end,
    },
    {
        "a publisher's own subscription",
        function()
            local seen = {}
            local channel = multicast.new {
                dispatch = function(self, source, ...)
                    equal(source, skynet.self(), "source")
                    table.insert(seen, { self, ... })
                end,
            }
            channel:publish "before"
            channel:subscribe()
            channel:subscribe()
            channel:publish("now", 1)
            eventually("it comes", function()
                return seen[1]
            end)
            equal(seen[1][1], channel, "the channel")
            equal(seen[1][2], "now", "the value")
            channel:unsubscribe()
            channel:unsubscribe()
            channel:publish "after"
            -- Nothing that is under way comes either.
            channel:subscribe()
            skynet.fork(channel.publish, channel, "dropped")
            skynet.fork(channel.unsubscribe, channel)
            skynet.sleep(5)
            equal(#seen, 1, "messages")
        end,
    },
    {
        "the last object for a channel takes its messages",
        function()
            local first, second = 0, 0
            local one = multicast.new { dispatch = function() first = first + 1 end }
            one:subscribe()
            local two = multicast.new { channel = one.channel, dispatch = function() second = second + 1 end }
            two:subscribe()
            one:unsubscribe()
            two:publish()
            eventually("it comes", function()
                return second == 1
            end)
            equal(first, 0, "messages of the first")
        end,
    },
    {
        "other ways to pack",
        function()
            local texts = {}
            local channel = multicast.new {
                pack = function(text)
                    return skynet.pack(text:upper())
                end,
                unpack = function(msg, sz)
                    return "unpacked", skynet.unpack(msg, sz)
                end,
                dispatch = function(_, _, ...)
                    table.insert(texts, table.concat({ ... }, " "))
                end,
            }
            channel:subscribe()
            channel:publish "text"
            eventually("it comes", function()
                return texts[1]
            end)
            equal(texts[1], "unpacked TEXT", "text")
        end,
    },
    {
        "nothing at all",
        function()
            local count
            local channel = multicast.new {
                dispatch = function(_, _, ...)
                    count = select("#", ...)
                end,
            }
            channel:subscribe()
            channel:publish()
            eventually("it comes", function()
                return count
            end)
            equal(count, 0, "values")
        end,
    },
    {
        "ids",
        function()
            local one, two = multicast.new(), multicast.new()
            equal(two.channel - one.channel, 256, "the next id")
            equal(one.channel % 256, skynet.harbor(skynet.self()), "the node")
            one:delete()
            fails("the multicast channel is deleted", one.publish, one, "x")
            fails("the multicast channel is deleted", one.delete, one)
            equal(multicast.new().channel - two.channel, 256, "an id is not used again")
        end,
    },
    {
        "a channel that was deleted",
        function()
            local channel = multicast.new()
            local id = channel.channel
            local tell = member()
            tell("subscribe", id)
            channel:publish(1)
            channel:delete()
            equal(gets(tell, id, 1)[1][1], 1, "what came before")
            local late = multicast.new { channel = id }
            late:subscribe()
            late:publish(2)
            late:unsubscribe()
            tell("unsubscribe", id)
            tell("subscribe", id)
            late:publish(3)
            equal(tell("count", id), 1, "messages")
        end,
    },
    {
        "handlers that fail",
        function()
            local channel = multicast.new()
            local good = member()
            for _, kind in ipairs { "broken_unpack", "broken_dispatch" } do
                member()("subscribe", channel.channel, kind)
            end
            good("subscribe", channel.channel)
            channel:publish "first"
            channel:publish "second"
            gets(good, channel.channel, 2)
        end,
    },
    {
        "services that end unsubscribe",
        function()
            local channel = multicast.new()
            local tell, handle = member()
            tell("subscribe", channel.channel)
            local daemon = skynet.uniqueservice "multicastd"
            local told = skynet.call(daemon, "debug", "STAT").message
            skynet.kill(handle)
            -- STAT itself is one more, USUB another.
            eventually("multicastd is told", function()
                local now = skynet.call(daemon, "debug", "STAT").message
                told = told + 1
                return now > told
            end)
            -- And it answers as ever.
            channel:publish "to nobody"
        end,
    },
    {
        "publishers from many services are seen in one order",
        function()
            local channel = multicast.new()
            local id = channel.channel
            local one, two = member(), member()
            one("subscribe", id)
            two("subscribe", id)
            for _ = 1, 4 do
                local tell = member()
                tell("publish_and_exit", id, 50, "x")
            end
            local of_one, of_two = gets(one, id, 200), gets(two, id, 200)
            for i = 1, 200 do
                equal(of_one[i].source, of_two[i].source, "the order of the sources")
            end
        end,
    },
}

--- What is published is freed, however its readers end: the node's blocks are counted before and after.

local skynet = require "skynet.manager"
local memory = require "skynet.memory"
local multicast = require "skynet.multicast"
local check = require "socket_check"

local equal, fails, eventually = check.equal, check.fails, check.eventually

local MESSAGES <const> = 500
--- Blocks that may come and go for other reasons: far fewer than there are messages.
local SLACK <const> = MESSAGES // 10
local text <const> = ("payload"):rep(500)

local function member(...)
    local handle = skynet.newservice "multicast_member"
    if ... then
        skynet.call(handle, "lua", "subscribe", ...)
    end
    return handle
end

local function members(count, ...)
    local list = {}
    for i = 1, count do
        list[i] = member(...)
    end
    return list
end

local function publish(channel)
    for _ = 1, MESSAGES do
        channel:publish(text)
    end
end

local function all_seen(list, id, count)
    for _, handle in ipairs(list) do
        eventually("they have seen all", function()
            return skynet.call(handle, "lua", "count", id) >= count
        end)
    end
end

local function kill_all(list)
    for _, handle in ipairs(list) do
        skynet.kill(handle)
    end
end

-- Subscribers that handle nothing until `release` is called.
local keys = 0
local function stalled(count, last, ...)
    keys = keys + 1
    local key = "multicast_memory_" .. keys
    local list = members(count, ...)
    for _, handle in ipairs(list) do
        skynet.call(handle, "lua", "stall", key, last)
    end
    return list, function()
        skynet.setenv(key, "true")
    end
end

-- Runs a case twice: the first time, whatever is kept for later is allocated. Every message is one block at least.
local function counted(name, case)
    return {
        name,
        function()
            case()
            skynet.sleep(2)
            local before = memory.block()
            case()
            eventually("what was published is freed", function()
                return memory.block() <= before + SLACK
            end)
        end,
    }
end

check.main {
    {
        "what waits is counted",
        function()
            local channel = multicast.new()
            local list, release = stalled(1, nil, channel.channel)
            local before = memory.block()
            publish(channel)
            assert(memory.block() >= before + MESSAGES, "packages are blocks")
            release()
            all_seen(list, channel.channel, MESSAGES)
            kill_all(list)
            channel:delete()
        end,
    },
    counted("subscribers that read everything", function()
        local channel = multicast.new()
        local list = members(3, channel.channel)
        publish(channel)
        all_seen(list, channel.channel, MESSAGES)
        kill_all(list)
        channel:delete()
    end),
    counted("nobody", function()
        local channel = multicast.new()
        publish(channel)
        channel:delete()
        publish(multicast.new { channel = 0x7fffff00 })
    end),
    counted("subscribers that come and go", function()
        local channel = multicast.new()
        local id = channel.channel
        local list = members(2)
        for _ = 1, MESSAGES // 10 do
            for _, handle in ipairs(list) do
                skynet.call(handle, "lua", "subscribe", id)
            end
            for _ = 1, 10 do
                channel:publish(text)
            end
            for _, handle in ipairs(list) do
                skynet.call(handle, "lua", "unsubscribe", id)
            end
        end
        kill_all(list)
        channel:delete()
    end),
    counted("subscribers that are killed before they read", function()
        local channel = multicast.new()
        local list, release = stalled(1, nil, channel.channel)
        publish(channel)
        kill_all(list)
        release()
        publish(channel)
        channel:delete()
    end),
    counted("subscribers that exit before they read", function()
        local channel = multicast.new()
        local _, release = stalled(1, "exit", channel.channel)
        publish(channel)
        release()
        channel:delete()
    end),
    counted("subscribers that unsubscribe before they read", function()
        local channel = multicast.new()
        local list, release = stalled(1, nil, channel.channel)
        publish(channel)
        for _, handle in ipairs(list) do
            skynet.send(handle, "lua", "unsubscribe", channel.channel)
        end
        release()
        skynet.call(list[1], "lua", "count", channel.channel)
        kill_all(list)
        channel:delete()
    end),
    counted("a channel that is deleted while messages wait", function()
        local channel = multicast.new()
        local list, release = stalled(1, nil, channel.channel)
        local id = channel.channel
        publish(channel)
        channel:delete()
        release()
        all_seen(list, id, MESSAGES)
        kill_all(list)
    end),
    counted("subscribers that read payloads in place", function()
        local channel = multicast.new()
        local list = members(2, channel.channel, "raw")
        publish(channel)
        all_seen(list, channel.channel, MESSAGES)
        kill_all(list)
        channel:delete()
    end),
    counted("subscribers that are killed while they read in place", function()
        local channel = multicast.new()
        local list = members(1, channel.channel, "stuck")
        publish(channel)
        all_seen(list, channel.channel, MESSAGES)
        kill_all(list)
        channel:delete()
    end),
    counted("tasks that are ended while they read in place", function()
        local channel = multicast.new()
        local handle = member(channel.channel, "stuck")
        publish(channel)
        all_seen({ handle }, channel.channel, MESSAGES)
        local before = memory.block()
        skynet.call(handle, "lua", "end_tasks", channel.channel)
        assert(memory.block() <= before - MESSAGES, "a package ends with its task")
        kill_all { handle }
        channel:delete()
    end),
    counted("handlers that fail", function()
        local channel = multicast.new()
        local list = members(1, channel.channel, "broken_unpack")
        table.insert(list, member(channel.channel, "broken_dispatch"))
        for _ = 1, MESSAGES // 5 do
            for _ = 1, 5 do
                channel:publish(text)
            end
        end
        for _, handle in ipairs(list) do
            skynet.call(handle, "lua", "count", channel.channel)
        end
        kill_all(list)
        channel:delete()
    end),
    counted("publishers that end", function()
        local channel = multicast.new()
        local list = members(1, channel.channel)
        skynet.call(member(), "lua", "publish_and_exit", channel.channel, MESSAGES, text)
        all_seen(list, channel.channel, MESSAGES)
        kill_all(list)
        channel:delete()
    end),
    {
        "multicastd ends",
        function()
            local channel = multicast.new()
            local list = members(1, channel.channel)
            -- The files that it needs are kept by the node.
            skynet.call(list[1], "debug", "RUN", "")
            local before = memory.block()
            local failed, ended = 0, 0
            local daemon = skynet.uniqueservice "multicastd"
            local stall = [[
                local skynet = require "skynet"
                repeat until skynet.getenv "multicastd_may_go"
            ]]
            skynet.send(daemon, "debug", "RUN", stall)
            local gone = member()
            skynet.call(gone, "lua", "publish_and_exit", channel.channel, MESSAGES, text)
            eventually("a publisher is gone", function()
                return not pcall(skynet.call, gone, "debug", "PING")
            end)
            assert(memory.block() >= before + MESSAGES, "what it has deposited waits")
            for _ = 1, MESSAGES do
                skynet.fork(function()
                    local ok = pcall(channel.publish, channel, text)
                    failed = failed + (ok and 0 or 1)
                    ended = ended + 1
                end)
            end
            skynet.fork(function()
                skynet.kill(daemon)
                skynet.setenv("multicastd_may_go", "true")
            end)
            eventually("all publishers have an answer", function()
                return ended == MESSAGES
            end)
            for _ = 1, MESSAGES do
                fails("call to invalid address", channel.publish, channel, text)
            end
            all_seen(list, channel.channel, MESSAGES - failed)
            equal(skynet.call(list[1], "lua", "count", channel.channel), MESSAGES - failed, "messages")
            kill_all(list)
            eventually("what was published is freed", function()
                return memory.block() <= before + SLACK
            end)
        end,
    },
}

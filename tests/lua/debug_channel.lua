--- skynet.debugchannel: lines between two services, and hooks that stop a coroutine.

local skynet = require "skynet.manager"
local debugchannel = require "skynet.debugchannel"
local print = require "print_line"
local refuses = require "refuses"

local sethook = debugchannel.sethook
local role = ...

if role == "reader" then
    skynet.start(function()
        skynet.dispatch("lua", function(_, _, handle, count)
            local channel = debugchannel.connect(handle)
            local lines = {}
            for i = 1, count do
                lines[i] = channel:read(100)
            end
            skynet.retpack(lines, channel:read())
        end)
    end)
    return
end

local function channels()
    local channel, handle = debugchannel.create()
    local reader = skynet.newservice("debug_channel", "reader")
    for _, line in ipairs { "one", "", "a\0b" } do
        channel:write(line)
    end
    local lines, more = skynet.call(reader, "lua", handle, 3)
    assert(table.concat(lines, "|") == "one||a\0b" and more == nil)
    assert(select("#", channel:read()) == 0 and select("#", channel:read(0 / 0)) == 0)
    -- The time is in tenths of a second.
    local begin = skynet.hpc()
    assert(not channel:read(0.1))
    assert(skynet.hpc() - begin >= 10 * 1000 * 1000)

    refuses("Invalid channel pointer", debugchannel.connect)
    refuses("Invalid channel pointer", debugchannel.connect, "text")
    local released, gone = debugchannel.create()
    debugchannel.release(released)
    debugchannel.release(released)
    debugchannel.release "no channel"
    refuses("new channel failed", debugchannel.connect, gone)
    refuses("the channel is released", released.read, released)
    refuses("the channel is released", released.write, released, "x")
    refuses("debugchannel expected", channel.read, {})
    refuses("string expected", channel.write, channel)
    refuses("the debug channel is full", channel.write, channel, ("x"):rep(1 << 20))
    local other = debugchannel.create()
    refuses("new channel failed", function()
        local _, twice = debugchannel.create()
        return debugchannel.connect(twice), debugchannel.connect(twice)
    end)
    other:write "to itself"
    assert(other:read() == "to itself")
end

local function hooks()
    local here = debug.getinfo(1, "l").currentline
    local function work(n)
        local sum = 0
        for i = 1, n do
            sum = sum + i
        end
        return sum
    end
    local first = here + 2
    local lines = {}
    local co = coroutine.create(work)
    sethook(co, function(event, line, yieldable)
        assert(event == "line" and yieldable == true)
        lines[#lines + 1] = line - first
        return true
    end, "l")
    local stops = 0
    while true do
        local ok, result = coroutine.resume(co, 2)
        assert(ok, result)
        if coroutine.status(co) == "dead" then
            assert(result == 3)
            break
        end
        stops = stops + 1
    end
    assert(table.concat(lines, " ") == "0 1 2 1 2 1 4", table.concat(lines, " "))
    assert(stops == #lines)

    -- Calls and returns, a count, and no hook any more.
    local events = {}
    co = coroutine.create(function()
        local n = work(1)
        return n
    end)
    sethook(co, function(event, line)
        events[#events + 1] = event
        assert(line == nil or math.type(line) == "integer")
        return true
    end, "cr")
    assert(select(2, coroutine.resume(co)) == 1)
    assert(table.concat(events, " ") == "call call return return", table.concat(events, " "))
    local count = 0
    co = coroutine.create(work)
    sethook(co, function(event)
        assert(event == "count")
        count = count + 1
    end, "", 100)
    coroutine.resume(co, 1000)
    assert(count >= 10)
    co = coroutine.create(work)
    sethook(co, error, "l")
    sethook(co)
    assert(select(2, coroutine.resume(co, 3)) == 6)
    co = coroutine.create(work)
    sethook(co, error, "l")
    assert(coroutine.resume(co, 3) == false)

    refuses("string expected", sethook, print)
    refuses("function expected", sethook, 1, "l")
end

-- In what C calls back, a coroutine is not stopped.
local function hook_in_sort()
    local refused, stopped = 0, 0
    local co = coroutine.create(function()
        local list = { 3, 1, 2 }
        table.sort(list, function(a, b)
            return a < b
        end)
        return table.concat(list)
    end)
    sethook(co, function(_, _, yieldable)
        if yieldable then
            stopped = stopped + 1
        else
            refused = refused + 1
        end
        return true
    end, "l")
    local result
    repeat
        local ok
        ok, result = coroutine.resume(co)
        assert(ok, result)
    until coroutine.status(co) == "dead"
    assert(result == "123" and refused >= 2 and stopped >= 3)
end

skynet.start(function()
    local ok, err = xpcall(function()
        channels()
        hooks()
        hook_in_sort()
    end, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

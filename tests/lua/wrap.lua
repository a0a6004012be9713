--- Session numbers wrap from 0x7fffffff to 1, and those that are still in flight are not given out again. Runs a second
--- skynet.lua on a core of its own making, whose counter can be moved.

local real = require "skynet.manager"

local LAST <const> = 0x7fffffff
local counter = 0

local function next_session()
    counter = counter % LAST + 1
    return counter
end

local function nothing() end

local fake = setmetatable({
    genid = next_session,
    intcommand = next_session,
    send = function(_, _, session)
        return session or next_session()
    end,
    pack = function()
        return "message", 7
    end,
    unpack = nothing,
}, {
    __index = function()
        return nothing
    end,
})

local function second_instance()
    local mine, core, requiring = package.loaded.skynet, package.loaded["skynet.core"], package.loaded["skynet.require"]
    package.loaded.skynet = nil
    package.loaded["skynet.core"] = fake
    local made = require "skynet"
    package.loaded.skynet, package.loaded["skynet.core"], package.loaded["skynet.require"] = mine, core, requiring
    return made
end

local skynet = second_instance()

-- Runs what was forked; the message itself goes to nobody.
local function turn()
    skynet.dispatch_message(skynet.PTYPE_RESPONSE, nil, 0, -1, 0)
end

local function answer(session)
    skynet.dispatch_message(skynet.PTYPE_RESPONSE, nil, 0, session, 0)
end

local function run()
    skynet.dispatch_unknown_response(nothing)
    -- Calls that are answered at the very end: right after the wrap, in a row, and far away.
    local in_flight, answered = {}, {}
    for _, session in ipairs { 1, 2, 3, 7, 8, 100, 101, 102, 0x5000, 0x5001, 0x30000, LAST } do
        counter = session - 1
        in_flight[session] = true
        skynet.fork(function()
            skynet.call(1, "lua")
            answered[session] = true
        end)
        turn()
    end

    local ways = {
        function()
            skynet.call(1, "lua")
        end,
        function()
            skynet.sleep(1)
        end,
        function()
            local done
            skynet.timeout(1, function()
                done = true
                skynet.wakeup "timeout"
            end)
            return done
        end,
    }
    counter = LAST - 0x10000 - 50
    for i = 1, 0x10000 + 0x40000 do
        local session = counter % LAST + 1
        assert(not in_flight[session], "a session in flight was given out again")
        local ended = false
        skynet.fork(function()
            ways[i % #ways + 1]()
            ended = true
        end)
        turn()
        answer(session)
        assert(ended, "a session was lost")
        if i % 5000 == 0 then
            -- Sessions that C code takes are not seen here.
            next_session()
            next_session()
        end
    end
    assert(counter < LAST // 2, "the counter did not wrap")
    for session in pairs(in_flight) do
        assert(not answered[session], "an old call was answered by a new session's message")
        answer(session)
        assert(answered[session], "an old call was lost")
    end
end

real.start(function()
    local ok, err = xpcall(run, debug.traceback)
    io.stdout:write((ok and "passed" or tostring(err)) .. "\n")
    real.abort()
end)

--- Thousands of small services in one process: all of them boot and answer a call each. They share their code, so that one
--- takes little memory.

local skynet = require "skynet.manager"
local print = require "print_line"

local SERVICES <const> = 10000
--- Services that boot at a time.
local TASKS <const> = 32
--- Resident memory of one. KiB.
local AT_MOST <const> = 40

--- The resident memory of this process. KiB.
local function resident()
    local file <close> = assert(io.open "/proc/self/status")
    return tonumber(file:read "a":match "VmRSS:%s*(%d+)")
end

local function boot(handles, from, to)
    for number = from, to do
        handles[number] = skynet.newservice("small_service", number)
    end
end

--- Runs f(handles, from, to) in several tasks, each with its part of the numbers.
local function side_by_side(f, handles)
    local ended = 0
    local waiting = coroutine.running()
    local part = SERVICES // TASKS
    for task = 1, TASKS do
        skynet.fork(function()
            f(handles, (task - 1) * part + 1, task == TASKS and SERVICES or task * part)
            ended = ended + 1
            skynet.wakeup(waiting)
        end)
    end
    while ended < TASKS do
        skynet.wait(waiting)
    end
end

skynet.start(function()
    -- The first ones load what all of them share.
    for _ = 1, 10 do
        skynet.newservice("small_service", 0)
    end
    local handles = {}
    local before = resident()
    side_by_side(boot, handles)
    local each = (resident() - before) / SERVICES
    assert(each < AT_MOST, ("%.1f KiB for each service"):format(each))

    local sum, known = 0, {}
    side_by_side(function(_, from, to)
        for number = from, to do
            local handle = handles[number]
            assert(not known[handle], "a handle was given twice")
            known[handle] = true
            local answer = skynet.call(handle, "lua", "double", number)
            assert(answer == 2 * number, "another one's answer")
            sum = sum + answer
        end
    end, handles)
    assert(sum == SERVICES * (SERVICES + 1), "not all answered")
    print "passed"
    skynet.abort()
end)

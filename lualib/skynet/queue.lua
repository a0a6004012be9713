--- Critical sections. Functions passed to one queue run one after another, in the order of their calls, however often
--- each of them blocks. Inside a function the queue may be used again.

local skynet = require "skynet"

---@return fun(f: function, ...): ...  runs f(...) and returns or raises what it did
local function new_queue()
    local owner
    local depth = 0
    local waiting, first, last = {}, 1, 0

    local function pass_on()
        repeat
            owner = waiting[first]
            waiting[first] = nil
            first = first + 1
            -- Tasks that were killed while they waited do not wake up.
        until not owner or skynet.wakeup(owner)
        if not owner then
            first, last = 1, 0
        end
    end

    local function leave(ok, ...)
        depth = depth - 1
        if depth == 0 then
            pass_on()
        end
        if not ok then
            error((...), 0)
        end
        return ...
    end

    return function(f, ...)
        local me = coroutine.running()
        if owner and owner ~= me then
            last = last + 1
            waiting[last] = me
            -- pass_on makes this task the owner before it wakes up.
            skynet.wait(me)
        end
        owner = me
        depth = depth + 1
        return leave(xpcall(f, debug.traceback, ...))
    end
end

skynet.queue = new_queue

return new_queue

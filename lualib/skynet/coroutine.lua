--- Coroutines for use inside a service. Lua's own would take skynet's yields (call, sleep, …) for theirs; these pass
--- them on to the service's task and go on when it does.

local resume = coroutine.resume
local raw_yield = coroutine.yield
local raw_status = coroutine.status
local running = coroutine.running

--- coroutine -> true: made here; false: now blocked in a call of skynet's. Not in it: ended, or not ours.
local ours = setmetatable({}, { __mode = "k" })
--- coroutine -> the task's coroutine that it runs in
local roots = setmetatable({}, { __mode = "kv" })

local M = {
    isyieldable = coroutine.isyieldable,
    running = running,
}

---@param f function
---@return thread
function M.create(f)
    local co = coroutine.create(f)
    ours[co] = true
    return co
end

local stopped

local function unblock(co, ...)
    ours[co] = true
    return stopped(co, ...)
end

local function pass_outward(co, ...)
    ours[co] = false
    return unblock(co, resume(co, raw_yield(...)))
end

-- What a resume of `co` gave: an error, its end, a yield for its user, or one for skynet.
function stopped(co, ok, ...)
    if not ok then
        return false, ...
    end
    if raw_status(co) == "dead" then
        ours[co] = nil
        return true, ...
    end
    if (...) == "USER" then
        return true, select(2, ...)
    end
    return pass_outward(co, ...)
end

---@param co thread
---@return boolean ok
---@return any ...
function M.resume(co, ...)
    local free = ours[co]
    if free then
        local from = running()
        roots[co] = roots[from] or from
        return stopped(co, resume(co, ...))
    end
    if free == false then
        return false, "cannot resume a skynet coroutine suspend by skynet framework"
    end
    if raw_status(co) == "dead" then
        return resume(co, ...)
    end
    return false, "cannot resume none skynet coroutine"
end

function M.yield(...)
    return raw_yield("USER", ...)
end

--- As coroutine.status, and "blocked" for a coroutine that waits for skynet.
---@param co thread
---@return string
function M.status(co)
    if ours[co] == false and raw_status(co) == "suspended" then
        return "blocked"
    end
    return raw_status(co)
end

--- The task's coroutine that `co` runs in, and whether that is `co` itself.
---@param co? thread  the running one when left out
---@return thread|nil root
---@return boolean is_root
function M.thread(co)
    co = co or running()
    if ours[co] == nil then
        return co, true
    end
    return roots[co], false
end

local function results(ok, ...)
    if not ok then
        error((...), 0)
    end
    return ...
end

---@param f function
---@return function
function M.wrap(f)
    local co = M.create(f)
    return function(...)
        return results(M.resume(co, ...))
    end
end

---@param co thread
---@return boolean ok
---@return any err
function M.close(co)
    ours[co] = nil
    return coroutine.close(co)
end

return M

--- require for services. A module is initialised in two steps: its chunk runs, then the functions it gave to
--- skynet.init. For modules that the service's main chunk requires, the second step waits until skynet.start; for those
--- required later, in a task, both steps may block, and other tasks that want the module wait for its end.

local plain_require = require
local loaded = package.loaded
local running = coroutine.running

local main, is_main = running()
assert(is_main, "skynet.require has to be loaded by the main chunk of a service")

--- coroutine -> the functions of skynet.init that wait for their turn
local initializers = { [main] = {} }
--- module name -> { owner = the coroutine that loads it, and those that wait }
local loading = {}

-- The Lua function that makes the module, and what to pass to it. nil: leave it to the plain require, which knows
-- modules in C and raises its own errors.
local function find_chunk(name)
    for _, searcher in ipairs(package.searchers) do
        local chunk, extra = searcher(name)
        if type(chunk) == "function" then
            if debug.getinfo(chunk, "S").what == "C" then
                return
            end
            return chunk, extra
        end
    end
end

local M = {}

---@param name string
---@return any module
function M.require(name)
    local module = loaded[name]
    if module ~= nil then
        return module
    end
    local co, in_main = running()
    if in_main then
        return plain_require(name)
    end

    local queue = loading[name]
    if queue then
        if queue.owner == co then
            error(string.format("circular dependency : module %s requires itself", name))
        end
        table.insert(queue, co)
        loaded.skynet.wait(co)
        module = loaded[name]
        if module == nil then
            error(string.format("require %s failed", name))
        end
        return module
    end

    local chunk, extra = find_chunk(name)
    if not chunk then
        return plain_require(name)
    end

    queue = { owner = co }
    loading[name] = queue
    local outer = initializers[co]
    local mine = {}
    initializers[co] = mine

    -- The chunk is called from Lua, so that it may block.
    local ok, result = xpcall(function()
        local value = chunk(name, extra)
        for _, init in ipairs(mine) do
            init()
        end
        return value
    end, debug.traceback)

    initializers[co] = outer
    loading[name] = nil
    if ok then
        if result ~= nil then
            loaded[name] = result
        elseif loaded[name] == nil then
            loaded[name] = true
        end
    end
    for _, waiting in ipairs(queue) do
        loaded.skynet.wakeup(waiting)
    end
    if not ok then
        error(result)
    end
    return loaded[name]
end

--- Runs what the modules of the main chunk left to be done. skynet.init_service calls it.
function M.init_all()
    local list = initializers[main]
    for _, init in ipairs(list) do
        init()
    end
    initializers[main] = nil
end

--- Has `func` called before the start function or, in a module that a task requires, at the end of that require.
---@param func function
function M.init(func)
    assert(type(func) == "function", "skynet.init needs a function")
    local list = initializers[running()]
    if not list then
        error "skynet.init works in a service's main chunk or in a module that is being required"
    end
    table.insert(list, func)
end

return M

--- Services made from a function of the program that uses them, one for each name.

local skynet = require "skynet"

--- name -> handle, as far as this service has learnt it
local known = {}
local provider

local function ask(...)
    provider = provider or skynet.uniqueservice "service_provider"
    return skynet.call(provider, "lua", ...)
end

-- The function travels as bytecode, without what it refers to.
local function assert_self_contained(func)
    local name = debug.getupvalue(func, 1)
    if debug.getinfo(func, "u").nups ~= 1 or name ~= "_ENV" then
        error("a service's main function must not refer to local variables outside of it", 3)
    end
end

local service = {}

--- The service of that name, made from `mainfunc` when there is none yet.
---@param name string
---@param mainfunc function  may refer to globals only
---@param ... any  its arguments
---@return integer handle
function service.new(name, mainfunc, ...)
    local handle, starting = ask("test", name)
    if not handle then
        if starting then
            handle = ask("query", name)
        else
            assert_self_contained(mainfunc)
            handle = ask("launch", name, string.dump(mainfunc), ...)
        end
    end
    known[name] = handle
    return handle
end

--- Ends the service of that name.
---@param name string
---@return boolean closed  false when there is none
function service.close(name)
    local handle = ask("close", name)
    if not handle then
        return false
    end
    known[name] = nil
    require "skynet.manager".kill(handle)
    return true
end

--- The service of that name; waits until somebody makes it.
---@param name string
---@return integer handle
function service.query(name)
    local handle = known[name]
    if not handle then
        handle = ask("query", name)
        known[name] = handle
    end
    return handle
end

return service

--- Replaces methods of a running snax service by those of a patch.
---
--- A patch is written like a snax file. What the methods keep between calls are their upvalues, so a patch declares
--- those it needs by name and without a value (`local count`): they become the ones of the service. Its `_ENV` becomes
--- the service's too. Its function `hotfix`, if there is one, runs last.

local read_interface = require "snax.interface"

--- What a patch's source is called, by which its functions are known.
local CHUNK_NAME <const> = "=patch"

--- The globals that a patch's main chunk sees. The service's own are out of its reach until it is linked.
local patch_env = {}
for key, value in pairs(_ENV) do
    patch_env[key] = value
end

---@class snax.upvalue
---@field func function
---@field index integer
---@field id userdata

--- Index, name and value of each upvalue. Those of C functions have no names.
---@param func function
local function upvalues(func)
    local index = debug.getinfo(func, "S").what == "C" and math.maxinteger or 0
    return function()
        if index == math.maxinteger then
            return
        end
        index = index + 1
        local name, value = debug.getupvalue(func, index)
        if name then
            return index, name, value
        end
    end
end

---@param func function
---@return snax.upvalue|nil
local function environment(func)
    for index, name in upvalues(func) do
        if name == "_ENV" then
            return { func = func, index = index, id = debug.upvalueid(func, index) }
        end
    end
end

---@param func function
---@return userdata|nil
local function environment_id(func)
    local env = environment(func)
    return env and env.id
end

--- The upvalues of a service's methods, and of its functions that those refer to. A name must mean the same in all.
---@param methods snax.method[]
---@return table<string, snax.upvalue>
local function survey(methods)
    local found = {}

    local function visit(func, env)
        for index, name, value in upvalues(func) do
            local id = debug.upvalueid(func, index)
            local known = found[name]
            if not known then
                found[name] = { func = func, index = index, id = id }
                -- A function with another environment is another module's.
                if type(value) == "function" and environment_id(value) == env then
                    visit(value, env)
                end
            elseif known.id ~= id then
                error("ambiguity local value " .. name, 0)
            end
        end
    end

    for _, method in pairs(methods) do
        local func = method[4]
        if func then
            visit(func, environment_id(func))
        end
    end
    found._ENV = found._ENV or environment(survey)
    return found
end

--- Links the upvalues without a value of a patch's function, and of those it refers to, to the service's.
---@param func function
---@param found table<string, snax.upvalue>
---@param linked table<function, true>
local function link(func, found, linked)
    linked[func] = true
    for index, name, value in upvalues(func) do
        if value == nil or value == patch_env then
            local old = found[name]
            if old then
                debug.upvaluejoin(func, index, old.func, old.index)
            end
        elseif type(value) == "function" and not linked[value] and debug.getinfo(value, "S").source == CHUNK_NAME then
            link(value, found, linked)
        end
    end
end

---@param methods snax.method[]
---@param wanted snax.method
---@return snax.method
local function counterpart(methods, wanted)
    local group, name = wanted[2], wanted[3]
    for _, method in pairs(methods) do
        if method[2] == group and method[3] == name then
            return method
        end
    end
    error(("Patch mismatch %s.%s"):format(group, name), 0)
end

local function apply(methods, source, ...)
    local patch = read_interface("patch", patch_env, function(_, _, env)
        return assert(load(source, CHUNK_NAME, "bt", env))
    end)
    local found = survey(methods)
    -- All or nothing: what does not fit is found before anything is replaced.
    local targets = {}
    local last
    for _, method in ipairs(patch) do
        if method[4] then
            targets[method] = counterpart(methods, method)
            if method[2] == "system" and method[3] == "hotfix" then
                last = method[4]
            end
        end
    end
    local linked = {}
    for method, target in pairs(targets) do
        link(method[4], found, linked)
        target[4] = method[4]
    end
    if last then
        return last(...)
    end
end

--- Applies a patch.
---@param methods snax.method[] the service's, whose functions are replaced
---@param source string the patch
---@param ... any arguments of its `hotfix`
---@return boolean ok
---@return any ... what its `hotfix` returns, or the reason
return function(methods, source, ...)
    return pcall(apply, methods, source, ...)
end

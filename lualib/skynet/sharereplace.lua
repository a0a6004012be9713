--- Replaces tables by others everywhere in a Lua state. `skynet.sharetable` loads it when it is needed.

local core = require "skynet.sharetable.core"

local is_shared, stack_values = core.is_sharedtable, core.stackvalues
local getmetatable, setmetatable = debug.getmetatable, debug.setmetatable
local getlocal, setlocal = debug.getlocal, debug.setlocal
local getinfo = debug.getinfo

--- In place of a table that has no counterpart.
local GONE <const> = {}

--- old table -> new value or GONE, for pairs of tables and those in the same places inside of them.
local function find_counterparts(pairs_of_tables)
    local map = {}
    local todo = pairs_of_tables
    while #todo > 0 do
        local old, new = table.unpack(table.remove(todo))
        if map[old] == nil then
            map[old] = new
            for key, value in pairs(old) do
                if type(value) == "table" then
                    local counterpart
                    if type(new) == "table" and new ~= GONE then
                        counterpart = new[key]
                    end
                    if counterpart == nil then
                        counterpart = GONE
                    end
                    table.insert(todo, { value, counterpart })
                end
            end
        end
    end
    return map
end

--- Values that refer to others.
local COMPOUND <const> = { table = true, ["function"] = true, userdata = true, thread = true }

--- A walk through everything that can be reached. `map` says what is replaced; `seen` has what is done or in `todo`.
local function new_walk(map, untouched)
    local seen, todo = {}, {}
    local walk = { map = map, seen = seen, todo = todo }
    for _, value in ipairs { map, untouched, seen, todo, walk, GONE } do
        seen[value] = true
    end
    for _, value in ipairs(untouched) do
        seen[value] = true
    end
    return walk
end

--- Notes that a value is to be looked at.
local function visit(walk, value)
    if COMPOUND[type(value)] and not walk.seen[value] and not is_shared(value) then
        walk.seen[value] = true
        table.insert(walk.todo, value)
    end
end

--- What a value is replaced by: true and that, or false. One that stays is visited.
local function replaced(walk, value)
    if type(value) == "table" then
        local new = walk.map[value]
        if new ~= nil then
            if new == GONE then
                new = nil
            end
            return true, new
        end
    end
    visit(walk, value)
    return false
end

local function walk_metatable(walk, value)
    local metatable = getmetatable(value)
    if metatable then
        local change, new = replaced(walk, metatable)
        if change and (new == nil or type(new) == "table") then
            setmetatable(value, new)
        end
    end
end

local walkers = {}

function walkers.table(walk, content)
    local moved
    for key, value in next, content do
        local change, new = replaced(walk, value)
        if change then
            rawset(content, key, new)
        end
        if COMPOUND[type(key)] and replaced(walk, key) then
            moved = moved or {}
            table.insert(moved, key)
        end
    end
    for _, key in ipairs(moved or {}) do
        local value = rawget(content, key)
        local _, new = replaced(walk, key)
        rawset(content, key, nil)
        -- NaN is no key.
        if new ~= nil and new == new then
            rawset(content, new, value)
        end
    end
end

function walkers.userdata(walk, value)
    local number = 1
    while true do
        local content, exists = debug.getuservalue(value, number)
        if not exists then
            break
        end
        local change, new = replaced(walk, content)
        if change then
            debug.setuservalue(value, new, number)
        end
        number = number + 1
    end
end

walkers["function"] = function(walk, func)
    for number = 1, getinfo(func, "u").nups do
        local _, value = debug.getupvalue(func, number)
        local change, new = replaced(walk, value)
        if change then
            debug.setupvalue(func, number, new)
        end
    end
end

--- Local variables of a function on a stack, from a number on: 1, 2, 3, … or, for what is in `...`, -1, -2, -3, …
local function walk_locals(walk, thread, level, number, step)
    while true do
        local name, value = getlocal(thread, level, number)
        if not name then
            break
        end
        local change, new = replaced(walk, value)
        if change then
            setlocal(thread, level, number, new)
        end
        number = number + step
    end
end

--- A coroutine's functions, from a level on.
local function walk_thread(walk, thread, first)
    local level = first
    while true do
        local info = getinfo(thread, level, "f")
        if not info then
            break
        end
        visit(walk, info.func)
        walk_locals(walk, thread, level, 1, 1)
        walk_locals(walk, thread, level, -1, -1)
        level = level + 1
    end
end

function walkers.thread(walk, thread)
    -- What is on the stack and no variable is looked at, too.
    local values = {}
    walk.seen[values] = true
    for number = 1, stack_values(thread, values) do
        replaced(walk, values[number])
    end
    walk_thread(walk, thread, 0)
end

local function walk_all(walk, asking)
    walk.seen[coroutine.running()] = true
    walk.seen[asking] = true
    -- Its first functions are coroutine.wrap's, the two below, and sharetable.update.
    walk_thread(walk, asking, 3)
    walk_metatable(walk, asking)
    for _, value in ipairs { 0, "", false, walk_all } do
        walk_metatable(walk, value)
    end
    walk_metatable(walk, nil)
    walk_metatable(walk, debug.upvalueid(walk_all, 1))
    visit(walk, debug.getregistry())
    while #walk.todo > 0 do
        local value = table.remove(walk.todo)
        walkers[type(value)](walk, value)
        walk_metatable(walk, value)
    end
end

---@param pairs_of_tables table[]  each an old table and its new one; used up
---@param untouched table[]  tables that are left alone
return function(pairs_of_tables, untouched)
    local asking = coroutine.running()
    local walk = new_walk(find_counterparts(pairs_of_tables), untouched)
    -- A coroutine of its own keeps its stack out of what it walks through.
    local run = coroutine.wrap(walk_all)
    run(walk, asking)
end

--- What the services compare_*.lua have in common; no service. They compare two
--- builds of a Lua module, ours and the reference's, in one Lua state.
--
-- Such a service is started in place of the bootstrap, on either executable, with
-- the shared objects as arguments:
--
--     thread = 1
--     harbor = 0
--     bootstrap = "snlua <the line that the service's comment shows>"
--     luaservice = "<this directory>/?.lua"
--     lualoader = "<lualib>/loader.lua"
--     lua_path = "<lualib>/?.lua;<this directory>/?.lua"
--     cpath = "<cservice>/?.so"
--     lua_cpath = ""
--
-- It prints each difference and then "compare: N checks, M differences", and ends
-- the node. One argument more seeds the random values; the seed is printed.

local comparison = {}

local checks, differences, used_seed = 0, 0, nil
local core

--- Opens a module.
---@param file string the shared object
---@param name string what follows luaopen_
---@return table
function comparison.open(file, name)
    return assert(package.loadlib(file, "luaopen_" .. name))()
end

--- Begins a comparison.
---@param our_core table our skynet.core
---@param seed? string for the random values
function comparison.begin(our_core, seed)
    core = our_core
    used_seed = math.tointeger(tonumber(seed)) or core.hpc() & 0xffffffff
    math.randomseed(used_seed)
end

local function show(value)
    local text = type(value) == "string" and string.format("%q", value) or tostring(value)
    return #text > 300 and text:sub(1, 300) .. "..." or text
end

--- Counts a check, and prints what differs.
---@param what string
---@param ours any
---@param theirs any
function comparison.check(what, ours, theirs)
    checks = checks + 1
    if ours ~= theirs then
        differences = differences + 1
        print(string.format("%s: ours %s, theirs %s", what, show(ours), show(theirs)))
    end
end

--- A text that is equal for equal values only: integers and floats, the two zeros
--- and all NaNs are told apart by their bits.
---@param value any
---@return string
local function canonical(value)
    if math.type(value) == "float" then
        return "f" .. string.pack("<d", value)
    elseif type(value) ~= "table" then
        return type(value) .. ":" .. tostring(value)
    end
    local fields = {}
    for k, v in next, value do
        fields[#fields + 1] = canonical(k) .. "=" .. canonical(v)
    end
    table.sort(fields)
    return "{" .. table.concat(fields, ",") .. "}"
end

--- The same for all results of a pcall.
---@param ok boolean
---@param ... any
---@return string
function comparison.canonical_all(ok, ...)
    local list = { tostring(ok) }
    for i = 1, select("#", ...) do
        list[#list + 1] = canonical((select(i, ...)))
    end
    return table.concat(list, ";")
end

--- A random string.
---@param length integer
---@return string
function comparison.bytes(length)
    local list = {}
    for i = 1, length do
        list[i] = string.char(math.random(0, 255))
    end
    return table.concat(list)
end

--- Prints the result and ends the node.
function comparison.finish()
    print(string.format("compare: %d checks, %d differences (seed %d)", checks, differences, used_seed))
    io.stdout:flush()
    core.command("ABORT")
end

return comparison

--- What a snax service offers, read from its file.
---
--- The file runs once in an environment: the functions it stores in `accept` (messages without an answer) and in
--- `response` (requests) are the service's methods; its globals `init`, `exit`, `hotfix` and `profile` belong to the
--- service's life. A message names a method by its number, so both sides read the same file.

local skynet = require "skynet"

---@class snax.method
---@field [1] integer                         its number
---@field [2] "system"|"accept"|"response"    its group
---@field [3] string                          its name
---@field [4] function|nil                    only the methods of the service's life may lack it

--- Their numbers are their places; those of the file's own methods follow, in the order of their definition.
local LIFE <const> = { "init", "exit", "hotfix", "profile" }

---@param path string patterns with `?` for the name, between semicolons
---@param name string
---@param env table
---@return function chunk
---@return string pattern where it was found
local function find(path, name, env)
    local verbatim = name:gsub("%%", "%%%%")
    local reasons = {}
    for pattern in path:gmatch "[^;]+" do
        local chunk, reason = loadfile((pattern:gsub("?", verbatim)), "bt", env)
        if chunk then
            return chunk, pattern
        end
        table.insert(reasons, reason)
    end
    error(table.concat(reasons, "\n"), 0)
end

--- A table that numbers the functions stored in it. Level 2 is the line of the file that stores one.
---@param methods snax.method[]
---@param group "accept"|"response"
---@return table
local function numbering(methods, group)
    local defined = {}

    local function define(_, name, func)
        if type(name) ~= "string" then
            error(group .. " method only support string", 2)
        elseif type(func) ~= "function" then
            error(("%s.%s must be function"):format(group, name), 2)
        elseif defined[name] then
            error(("%s.%s duplicate definition"):format(group, name), 2)
        end
        defined[name] = true
        local id = #methods + 1
        methods[id] = { id, group, name, func }
    end

    return setmetatable({}, { __newindex = define })
end

--- Reads the file of a service. Its other globals become globals of the environment.
---@param name string
---@param env table the environment; it has no metatable, and nothing of a name that the file defines
---@param loader (fun(path: string, name: string, env: table): function, string)|nil  finds the file: its main chunk and
--- the pattern of the path that it was found by
---@return snax.method[]
---@return string pattern
return function(name, env, loader)
    assert(not getmetatable(env), "the environment of a snax service cannot have a metatable")
    for _, reserved in ipairs { "init", "exit", "accept", "response" } do
        assert(env[reserved] == nil, "the environment of a snax service has a value already: " .. reserved)
    end

    ---@type snax.method[]
    local methods = {}
    local life = {}
    for id, each in ipairs(LIFE) do
        methods[id] = { id, "system", each }
        life[each] = methods[id]
    end

    local globals = {}
    local visible = setmetatable({
        accept = numbering(methods, "accept"),
        response = numbering(methods, "response"),
    }, { __index = globals })

    local function set_global(_, key, value)
        local method = life[key]
        if not method then
            globals[key] = value
        elseif type(value) == "function" then
            method[4] = value
        else
            error(key .. " must be a function", 2)
        end
    end

    local path = assert(skynet.getenv "snax", "please set snax in config file")
    local main, pattern = (loader or find)(path, name, env)
    setmetatable(env, { __index = visible, __newindex = set_global })
    local ok, reason = xpcall(main, debug.traceback)
    setmetatable(env, nil)
    if not ok then
        error(reason, 0)
    end
    for key, value in pairs(globals) do
        env[key] = value
    end
    return methods, pattern
end

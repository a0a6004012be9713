--- The room: who is in it, and what all of them hear. Its commands come from the players' agents.

local skynet = require "skynet"

--- agent -> name
---@type table<integer, string>
local players = {}

--- The names, each once.
---@type table<string, boolean>
local taken = {}

---@param name string of a protocol
---@param arguments table
---@param but integer? an agent that is not told
local function tell(name, arguments, but)
    for agent in pairs(players) do
        if agent ~= but then
            skynet.send(agent, "lua", "tell", name, arguments)
        end
    end
end

---@return string[] names in order
local function names()
    local list = {}
    for name in pairs(taken) do
        list[#list + 1] = name
    end
    table.sort(list)
    return list
end

local commands = {}

---@param agent integer
---@param name string
---@return string[]? players, string? refused
function commands.enter(agent, name)
    if players[agent] then
        return nil, "you are in already"
    end
    if taken[name] then
        return nil, "the name is taken"
    end
    players[agent], taken[name] = name, true
    tell("entered", { name = name }, agent)
    return names()
end

---@param agent integer
---@param text string
---@return string? refused
function commands.say(agent, text)
    local name = players[agent]
    if not name then
        return "you are not in"
    end
    tell("said", { name = name, text = text })
end

---@return string[]
function commands.who()
    return names()
end

---@param agent integer
function commands.leave(agent)
    local name = players[agent]
    if name then
        players[agent], taken[name] = nil, nil
        tell("left", { name = name })
    end
end

skynet.start(function()
    skynet.dispatch("lua", function(_, agent, name, ...)
        skynet.retpack(commands[name](agent, ...))
    end)
end)

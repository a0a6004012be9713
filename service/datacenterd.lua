--- A tree of values that all nodes of a network share. A path of keys leads to each value; one can wait for a path that
--- has no value yet.

local skynet = require "skynet"

local values = {}
--- Those who wait, as a tree of its own: a node has either answers, for its path, or nodes below.
local waiting = { below = {} }

local function read(...)
    local value = values
    for i = 1, select("#", ...) do
        local key = select(i, ...)
        if value == nil or key == nil then
            break
        end
        value = value[key]
    end
    return value
end

-- A value has appeared at keys[1 .. count]. Those who wait for a shorter path cannot get what they expect.
local function wake(keys, count, value)
    local node = waiting
    for depth = 1, count do
        local child = node.below[keys[depth]]
        if not child then
            return
        end
        if child.answers then
            node.below[keys[depth]] = nil
            for _, answer in ipairs(child.answers) do
                answer(depth == count, value)
            end
            return
        end
        node = child
    end
end

local function wait(...)
    local keys = table.pack(...)
    local node = waiting
    for depth = 1, keys.n do
        local last = depth == keys.n
        local child = node.below[keys[depth]]
        if not child then
            child = last and { answers = {} } or { below = {} }
            node.below[keys[depth]] = child
        elseif last ~= (child.answers ~= nil) then
            error "datacenter.wait for a path and for another one below it"
        end
        node = child
    end
    table.insert(node.answers, skynet.response())
end

local command = {}

function command.QUERY(key, ...)
    if key ~= nil then
        skynet.retpack(read(key, ...))
    else
        skynet.retpack()
    end
end

--- The path, then the value; a key alone has none. Answers with the value that was there.
function command.UPDATE(...)
    local keys = table.pack(...)
    assert(keys[1] ~= nil, "datacenter.set needs a path")
    local count = math.max(keys.n - 1, 1)
    local value
    if keys.n > 1 then
        value = keys[keys.n]
    end
    local branch = values
    for depth = 1, count - 1 do
        local key = keys[depth]
        if branch[key] == nil then
            branch[key] = {}
        end
        branch = branch[key]
    end
    local previous = branch[keys[count]]
    branch[keys[count]] = value
    if previous == nil and value ~= nil then
        wake(keys, count, value)
    end
    skynet.retpack(previous)
end

function command.WAIT(...)
    assert(select("#", ...) > 0, "datacenter.wait needs a path")
    local value = read(...)
    if value ~= nil then
        skynet.retpack(value)
    else
        wait(...)
    end
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        local run = command[name]
        if not run then
            error("unknown datacenter command " .. tostring(name))
        end
        run(...)
    end)
end)

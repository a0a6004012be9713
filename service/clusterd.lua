--- Knows the nodes of the cluster and the services that have names in it.
---
--- What lives here. A node begins when it is named by the config, by `reload` or by somebody who asks for it, and stays.
--- Its sender, the service with the connection to it, is launched when it is first asked for and stays, too; when the
--- node's address changes, its sender is told. A node that is asked for before its address is known keeps the askers
--- waiting, unless `__nowaiting` is set. Each connection from another node has an agent, which goes when it closes.

local skynet = require "skynet.manager"
local core = require "skynet.cluster.core"

local format = string.format

--- The name of this process in traces.
local this_node = core.nodename()

--- The settings that begin with two underscores.
local options = {}

--- The service that keeps this node's name and those of others in etcd, if the config says so.
---@type integer?
local membership

---@class cluster.node
---@field name string
---@field address string|false|nil  false: it is down; nil: not known yet
---@field sender integer|nil        the service
---@field current boolean           the sender has connected to the address, and it has not changed since
---@field closed boolean            the sender was told that the node is down
---@field attempt table|nil         of a task that connects: those who wait for it, and what came of it
---@field asker table|nil           what that one waits for, until the address is known

--- name -> node
---@type table<string, cluster.node>
local nodes = {}

local function node_of(name)
    local node = nodes[name]
    if not node then
        node = { name = name, current = false, closed = false }
        nodes[name] = node
    end
    return node
end

--------------------------------------------------------------------------------
-- Things that are made once, while others ask for them

--- Calls `make` for the first who asks for a key, lets the others wait for the result, and keeps it.
---@param made table key -> result
---@param making table key -> those who wait
---@param key string
---@param make fun(): any
local function once(made, making, key, make)
    while not made[key] do
        local waiting = making[key]
        if waiting then
            local token = {}
            waiting[#waiting + 1] = token
            skynet.wait(token)
        else
            waiting = {}
            making[key] = waiting
            local ok, result = pcall(make)
            making[key] = nil
            for _, token in ipairs(waiting) do
                skynet.wakeup(token)
            end
            if not ok then
                error(result, 0)
            end
            made[key] = result
        end
    end
    return made[key]
end

--------------------------------------------------------------------------------
-- Senders

-- Waits until a node's address is known, if that is wanted.
local function await_address(node)
    if node.address == nil and not options.nowaiting then
        local asker = {}
        node.asker = asker
        skynet.error(format("Waiting for cluster node [%s]", node.name))
        skynet.wait(asker)
        node.asker = nil
    end
    return node.address
end

-- Has the sender connect to the address, or close.
local function turn(node, address)
    if address then
        node.sender = node.sender or skynet.newservice("clustersender", node.name, this_node, address)
        node.closed = false
        if not pcall(skynet.call, node.sender, "lua", "changenode", address) then
            error(format("changenode [%s] (%s) failed", node.name, address), 0)
        end
    elseif address == nil then
        error(format("cluster node [%s] is absent.", node.name), 0)
    elseif node.sender and not node.closed then
        skynet.call(node.sender, "lua", "changenode", false)
        node.closed = true
    end
end

-- A node's sender, connected; nil if the node is down and never had one. Raises if it cannot be reached.
local function open(node)
    while not node.current do
        local attempt = node.attempt
        if attempt then
            local token = {}
            attempt[#attempt + 1] = token
            skynet.wait(token)
        else
            attempt = {}
            node.attempt = attempt
            attempt.address = await_address(node)
            attempt.ok, attempt.reason = pcall(turn, node, attempt.address)
            node.attempt = nil
            for _, token in ipairs(attempt) do
                skynet.wakeup(token)
            end
        end
        -- The address may have changed meanwhile, and somebody else be at it again.
        if not node.attempt and node.address == attempt.address then
            if not attempt.ok then
                error(attempt.reason, 0)
            end
            node.current = node.address ~= false
            break
        end
    end
    return node.sender
end

--------------------------------------------------------------------------------
-- The table of nodes

-- What the config file says.
local function read_file()
    local table = {}
    local path = skynet.getenv "cluster"
    if path then
        assert(loadfile(path, "t", table))()
    end
    return table
end

-- Takes in names and addresses, and settings. All or, if something is wrong, nothing.
local function load_table(changes)
    for name, address in pairs(changes) do
        assert(type(name) == "string", "the name of a cluster node must be a string")
        if name:sub(1, 2) ~= "__" and address ~= false and type(address) ~= "string" then
            error(format("the address of the cluster node [%s] must be a string or false", name))
        end
    end
    local moved = {}
    for name, value in pairs(changes) do
        if name:sub(1, 2) == "__" then
            options[name:sub(3)] = value
            skynet.error(format("Config %s = %s", name:sub(3), value))
        else
            local node = node_of(name)
            if node.address ~= value then
                node.address = value
                node.current = false
                if node.sender then
                    moved[#moved + 1] = node
                end
            end
            if node.asker and not options.nowaiting then
                skynet.error(format("Cluster node [%s] resolved : %s", name, value))
                skynet.wakeup(node.asker)
            end
        end
    end
    if options.nowaiting then
        for _, node in pairs(nodes) do
            if node.asker then
                skynet.wakeup(node.asker)
            end
        end
    end
    for _, node in ipairs(moved) do
        if node.attempt then
            -- It need not wait until there is no answer from the old address.
            skynet.fork(pcall, skynet.call, node.sender, "lua", "changenode", node.address)
        end
        skynet.fork(open, node)
    end
end

local command = {}

function command.reload(_, changes)
    load_table(changes or read_file())
    -- Behind the senders that have to be told: nobody finds a node's old address after this.
    skynet.fork(skynet.response(), true, nil)
end

--- Listens at a node's address, or at an address and a port.
function command.listen(_, name, port, maxclient)
    local gate = skynet.newservice "gate"
    local address = name
    if not port then
        local node = nodes[name]
        address = node and node.address or error(name .. " is down")
    end
    local conf = { address = address, port = port, maxclient = maxclient, nodelay = true }
    local at, number = skynet.call(gate, "lua", "open", conf)
    if membership then
        skynet.send(membership, "lua", "listening")
    end
    if port then
        skynet.retpack(at, number)
    else
        skynet.retpack(name, port)
    end
end

function command.sender(_, name)
    skynet.retpack(open(node_of(name)))
end

--- All senders, by their nodes' names.
function command.senders()
    local senders = {}
    for name, node in pairs(nodes) do
        senders[name] = node.sender
    end
    skynet.retpack(senders)
end

--------------------------------------------------------------------------------
-- Services that stand for those of other nodes

local proxies, launching = {}, {}

function command.proxy(_, node, name)
    if name == nil then
        local whole = node
        node, name = tostring(whole):match "^([^@.]+)([@.].+)"
        if not node then
            error("Invalid name " .. tostring(whole))
        end
    end
    skynet.retpack(once(proxies, launching, node .. "." .. name, function()
        return skynet.newservice("clusterproxy", node, name)
    end))
end

--------------------------------------------------------------------------------
-- Connections from other nodes, and the names they find services by

--- socket -> its agent; false while it is launched, true if the socket closes meanwhile
---@type table<integer, integer|boolean>
local agents = {}

--- name -> handle, and handle -> name
local handles, names = {}, {}

-- What the agents know may be wrong now.
local function forget_names()
    for _, agent in pairs(agents) do
        if type(agent) == "number" then
            skynet.send(agent, "lua", "namechange")
        end
    end
end

function command.register(source, name, handle)
    assert(handles[name] == nil, "the name is taken")
    handle = handle or source
    local before = names[handle]
    if before then
        handles[before] = nil
        forget_names()
    end
    handles[name], names[handle] = handle, name
    skynet.ret()
    skynet.error(format("Register [%s] :%08x", name, handle))
end

function command.unregister(_, name)
    local handle = handles[name]
    if not handle then
        skynet.ret()
        return
    end
    handles[name], names[handle] = nil, nil
    forget_names()
    skynet.ret()
    skynet.error(format("Unregister [%s] :%08x", name, handle))
end

function command.queryname(_, name)
    skynet.retpack(handles[name])
end

-- What a gate reports.
local events = {}

function events.open(gate, fd, address)
    skynet.error("socket accept from " .. address)
    agents[fd] = false
    local ok, agent = pcall(skynet.newservice, "clusteragent", skynet.self(), gate, fd)
    local closed = agents[fd]
    agents[fd] = ok and not closed and agent or nil
    if not ok then
        skynet.send(gate, "lua", "kick", fd)
    elseif closed then
        skynet.send(agent, "lua", "exit")
    end
end

function events.close(_, fd)
    local agent = agents[fd]
    if agent then
        agents[fd] = nil
        skynet.send(agent, "lua", "exit")
    elseif agent == false then
        agents[fd] = true
    end
end

events.error = events.close

function command.socket(gate, event, fd, text)
    local handler = events[event]
    if handler then
        handler(gate, fd, text)
    else
        skynet.error(format("socket %s %d %s", event, fd, text or ""))
    end
end

skynet.start(function()
    load_table(read_file())
    skynet.dispatch("lua", function(_, source, name, ...)
        local run = assert(command[name], "no such command")
        run(source, ...)
    end)
    if skynet.getenv "cluster_etcd" then
        membership = skynet.newservice("clusteretcd", skynet.self())
    end
end)

--- The channels of skynet.multicast on this node: makes them, knows who has subscribed, and hands on what is published.
---
--- A channel's id says in its lowest byte which node it is of. On that node its entry has the subscribers there and the
--- nodes with subscribers; each of those nodes has an entry of its own, a copy, as long as it has some. What is published
--- goes to the channel's node first, so that all subscribers see it in one order.
---
--- Between nodes: SUBR and USUBR (a node has its first subscriber, no more), DEL and DELR (to the channel's node, and
--- from there), and messages of the type multicast, whose session is the channel.

local skynet = require "skynet"
local core = require "skynet.multicast.core"
local datacenter = require "skynet.datacenter"
local harbor = require "skynet.harbor"

local NODES <const> = 256

local this_node = skynet.harbor(skynet.self())

---@class multicastd.channel
---@field group userdata  who has subscribed on this node
---@field nodes table<integer, integer>  the other nodes that have subscribers -> their multicastd
---@field addresses integer[]  those again, as a list

--- id -> channel
---@type table<integer, multicastd.channel>
local channels = {}
local next_id = this_node
--- node -> its multicastd
local addresses = {}
--- Nodes whose end this service will be told of.
local watched = {}

local function new_channel()
    return { group = core.group(), nodes = {}, addresses = {} }
end

local function set_node(channel, node, address)
    channel.nodes[node] = address
    local list = {}
    for _, each in pairs(channel.nodes) do
        table.insert(list, each)
    end
    channel.addresses = list
end

-- A node is gone: its channels are, and nobody there takes anything.
local function lose(node)
    watched[node] = nil
    addresses[node] = nil
    for id, channel in pairs(channels) do
        if id % NODES == node then
            channels[id] = nil
        elseif channel.nodes[node] then
            set_node(channel, node, nil)
        end
    end
end

local function watch(node)
    if not watched[node] then
        watched[node] = true
        skynet.fork(function()
            if pcall(harbor.link, node) then
                lose(node)
            end
        end)
    end
end

-- Asked for once; blocks then.
local function address_of(node)
    local address = addresses[node]
    if not address then
        address = datacenter.get("multicast", node)
        if not address then
            error("no multicastd on node " .. node)
        end
        addresses[node] = address
    end
    return address
end

local function distribute(id, source, ticket)
    local channel = channels[id]
    if not channel then
        core.withdraw(ticket)
        return
    end
    local left = core.publish(ticket, source, id, channel.group, table.unpack(channel.addresses))
    local node = id % NODES
    if left == 0 and node ~= this_node then
        -- Its subscribers are gone without a word.
        channels[id] = nil
        skynet.send(address_of(node), "lua", "USUBR", id)
    end
end

skynet.register_protocol {
    name = "multicast",
    id = skynet.PTYPE_MULTICAST,
    unpack = core.depositcopy,
    dispatch = function(id, source, ticket)
        skynet.ignoreret()
        distribute(id, source, ticket)
    end,
}

local command = {}

----- from services of this node

function command.NEW()
    while channels[next_id] do
        next_id = core.nextid(next_id)
    end
    local id = next_id
    channels[id] = new_channel()
    next_id = core.nextid(id)
    return id
end

function command.PUB(source, id, ticket)
    local node = id % NODES
    if node == this_node then
        distribute(id, source, ticket)
    else
        core.forward(ticket, source, id, address_of(node))
    end
end

function command.SUB(source, id)
    local node = id % NODES
    if node ~= this_node and not channels[id] then
        if skynet.call(address_of(node), "lua", "SUBR", id) then
            -- There is no such channel.
            return
        end
        watch(node)
        -- Another request may have been faster.
        channels[id] = channels[id] or new_channel()
    end
    local channel = channels[id]
    if channel then
        channel.group:add(source)
    end
end

function command.USUB(source, id)
    local channel = channels[id]
    if not channel then
        return
    end
    channel.group:remove(source)
    local node = id % NODES
    if node ~= this_node and core.count(channel.group) == 0 then
        channels[id] = nil
        skynet.send(address_of(node), "lua", "USUBR", id)
    end
end

--- Also from another node, for a channel of this one.
function command.DEL(_, id)
    local node = id % NODES
    if node ~= this_node then
        skynet.send(address_of(node), "lua", "DEL", id)
        return
    end
    local channel = channels[id]
    channels[id] = nil
    if channel then
        for _, address in ipairs(channel.addresses) do
            skynet.send(address, "lua", "DELR", id)
        end
    end
end

----- from other nodes

--- True when there is no such channel.
function command.SUBR(source, id)
    local node = skynet.harbor(source)
    assert(node ~= this_node and id % NODES == this_node, "SUBR is for another node, about a channel of this one")
    local channel = channels[id]
    if not channel then
        return true
    end
    set_node(channel, node, source)
    watch(node)
end

function command.USUBR(source, id)
    local channel = channels[id]
    if channel then
        set_node(channel, skynet.harbor(source), nil)
    end
end

function command.DELR(source, id)
    assert(id % NODES == skynet.harbor(source), "DELR is for channels of the node that it comes from")
    channels[id] = nil
end

skynet.start(function()
    skynet.dispatch("lua", function(session, source, name, ...)
        local run = command[name]
        if not run then
            error("unknown multicast command " .. tostring(name))
        end
        local result = run(source, ...)
        if session ~= 0 then
            skynet.retpack(result)
        end
    end)
    local previous = datacenter.set("multicast", this_node, skynet.self())
    assert(previous == nil, "this node has a multicastd already")
    -- When this service ends, so does what it has not published yet.
    core.keeper()
end)

--- Channels: what is published to one goes to all services that have subscribed to it, on every node of the network.
--- The service multicastd, one on each node, knows who they are.
---
--- A subscribed channel is kept here until it is unsubscribed or deleted. When its service ends, Lua collects it, and it
--- unsubscribes itself.

local skynet = require "skynet"
local core = require "skynet.multicast.core"

local values_of = skynet.unpack

--- id -> the channel that takes its messages; in `raw` those with an unpack function of their own.
local channels, raw = {}, {}
--- multicastd's handle
local daemon

---@class skynet.multicast.channel
---@field channel integer|nil  its id, the same on all nodes; nil once it is deleted
local methods = {}

local metatable = {
    __index = methods,
    __tostring = function(self)
        return ("[Multicast:%x]"):format(self.channel)
    end,
    __gc = function(self)
        self:unsubscribe()
    end,
}

local multicast = {}

--- A new channel, or an object for one that exists.
---@param conf? table  channel: its id, for one that exists; dispatch: takes what is published, as
--- func(channel, source, ...); pack and unpack: instead of skynet.pack and skynet.unpack. What unpack(msg, sz) is given
--- stays valid until dispatch returns.
---@return skynet.multicast.channel
function multicast.new(conf)
    assert(daemon, "Init first")
    conf = conf or {}
    return setmetatable({
        channel = conf.channel or skynet.call(daemon, "lua", "NEW"),
        __pack = conf.pack or skynet.pack,
        __unpack = conf.unpack or values_of,
        __dispatch = conf.dispatch,
    }, metatable)
end

local function id_of(self)
    return self.channel or error("the multicast channel is deleted", 3)
end

-- An object takes its channel's messages, unless a later one of this service does.
local function takes(self, id)
    return channels[id] == self or raw[id] == self
end

local function forget(self, id)
    if takes(self, id) then
        channels[id] = nil
        raw[id] = nil
        return true
    end
end

--- Publishes values: returns when all subscribers of this node have them in their mailboxes.
---@param ... any
function methods:publish(...)
    local id = id_of(self)
    local ticket = core.deposit(self.__pack(...))
    local ok, err = pcall(skynet.call, daemon, "lua", "PUB", id, ticket)
    if not ok then
        core.withdraw(ticket)
        error(err, 0)
    end
end

--- From now on its dispatch function takes what is published. In one service that is the last object for a channel
--- that was subscribed.
function methods:subscribe()
    local id = id_of(self)
    if self.__subscribe then
        return
    end
    skynet.call(daemon, "lua", "SUB", id)
    self.__subscribe = true
    if self.__unpack == values_of then
        channels[id], raw[id] = self, nil
    else
        channels[id], raw[id] = nil, self
    end
end

--- No message comes any more, not even those that are under way.
function methods:unsubscribe()
    if not self.__subscribe then
        return
    end
    self.__subscribe = nil
    local id = id_of(self)
    if forget(self, id) then
        skynet.send(daemon, "lua", "USUB", id)
    end
end

--- Ends the channel for all services. The object is of no use afterwards.
function methods:delete()
    local id = id_of(self)
    skynet.send(daemon, "lua", "DEL", id)
    forget(self, id)
    self.channel = nil
    self.__subscribe = nil
end

-- A channel with its own unpack reads the payload in place: that lives as long as this function.
local function deliver_raw(self, source, package, msg, sz)
    local _ <close> = package
    self:__dispatch(source, self.__unpack(msg, sz))
end

-- `self` is nil when the channel was unsubscribed while the message was on its way.
local function deliver(_, source, self, ...)
    if not self then
        return
    end
    if self.__unpack == values_of then
        self:__dispatch(source, ...)
    else
        deliver_raw(self, source, ...)
    end
end

skynet.init(function()
    daemon = skynet.uniqueservice "multicastd"
    skynet.register_protocol {
        name = "multicast",
        id = skynet.PTYPE_MULTICAST,
        unpack = core.receiver(channels, raw),
        dispatch = deliver,
    }
end)

return multicast

--- A client of a redis cluster. Each command is a method; it goes to the node that has the key's slot.
---
--- The map of slots comes from the first startup node that answers. A node that does not have a slot any more says who
--- does, and then the map is asked for again. There is at most one connection to each node, and one more for messages;
--- they are made when they are needed.

local skynet = require "skynet"
local socketchannel = require "skynet.socketchannel"
local redis = require "skynet.db.redis"
local crc16 = require "skynet.db.redis.crc16"

local SLOTS <const> = 16384
--- How often one command is sent: again elsewhere, or to the same node when the connection was lost.
local ATTEMPTS <const> = 16
--- How long to wait between the later attempts without a connection. Hundredths of a second.
local PAUSE <const> = 10
--- How long to wait after something that is no message, before the next. Hundredths of a second.
local LONG_PAUSE <const> = 100
local MAX_CONNECTIONS <const> = 256

---@class skynet.db.redis.cluster
local module = {}

---@class skynet.db.redis.cluster.node
---@field host string
---@field port integer
---@field name string?  "host:port"
---@field slaves skynet.db.redis.cluster.node[]?

---@class skynet.db.redis.cluster.client
---@field startup_nodes skynet.db.redis.cluster.node[]
---@field opt skynet.db.redis.cluster.options
---@field max_connections integer
---@field nodes skynet.db.redis.cluster.node[]               the masters
---@field slots table<integer, skynet.db.redis.cluster.node>  who has which
---@field connections table<string, skynet.db.redis.connection>  by the node's name
---@field refresh_table_asap boolean                         the map of slots is out of date
local client = {}

--------------------------------------------------------------------------------
-- Nodes

local function named(node)
    node.name = node.name or ("%s:%d"):format(node.host, node.port)
    return node
end

--- Gives a node its name, unless it has one.
---@param node skynet.db.redis.cluster.node
function client:set_node_name(node)
    named(node)
end

local function integer(value, low, high)
    value = math.tointeger(tonumber(value))
    if not value or value < low or value > high then
        error("redis cluster: a number is out of range")
    end
    return value
end

-- A node as the cluster describes it. One without a host of its own has that of the node that was asked.
local function node_of(host, port, asked)
    if host == nil or host == "" then
        host = asked
    end
    return named { host = host, port = integer(port, 1, 65535) }
end

-- What a node says about slots: who has them, and all masters.
local function read_map(ranges, asked)
    local slots, nodes = {}, {}
    for _, range in ipairs(ranges) do
        local master = node_of(range[3][1], range[3][2], asked)
        master.slaves = {}
        for i = 4, #range do
            table.insert(master.slaves, node_of(range[i][1], range[i][2], asked))
        end
        table.insert(nodes, master)
        for slot = integer(range[1], 0, SLOTS - 1), integer(range[2], 0, SLOTS - 1) do
            slots[slot] = master
        end
    end
    return slots, nodes
end

--- Asks the startup nodes for the map of slots, until one answers.
function client:initialize_slots_cache()
    for _, node in ipairs(self.startup_nodes) do
        local ok, slots, nodes = pcall(function()
            return read_map(self:get_connection(node):cluster "slots", node.host)
        end)
        if ok then
            self.slots, self.nodes = slots, nodes
            self.refresh_table_asap = false
            return
        end
    end
end

--- Forgets who has which slot; the next commands go to any node.
function client:flush_slots_cache()
    self.slots = {}
end

--- The slot of a key: of what is in its first braces, if they are not empty.
---@param key any
---@return integer
function client:keyslot(key)
    key = tostring(key)
    return crc16(key:match "^[^{]*{([^}]+)}" or key) % SLOTS
end

--------------------------------------------------------------------------------
-- Connections

-- Calls `make` for a name, or waits for the result of a task that does so already.
local function share(tasks, name, make)
    local task = tasks[name]
    if task then
        local me = coroutine.running()
        table.insert(task, me)
        skynet.wait(me)
    else
        task = {}
        tasks[name] = task
        task.ok, task.result = pcall(make)
        tasks[name] = nil
        for _, waiting in ipairs(task) do
            skynet.wakeup(waiting)
        end
    end
    if not task.ok then
        error(task.result, 0)
    end
    return task.result
end

local function conf_of(self, node)
    local opt = self.opt
    return {
        host = node.host,
        port = node.port,
        auth = opt.auth,
        username = opt.username,
        db = opt.db or 0,
        limits = opt.limits,
    }
end

--- Connects to a node.
---@param node skynet.db.redis.cluster.node
---@return skynet.db.redis.connection
function client:get_redis_link(node)
    return redis.connect(conf_of(self, node))
end

-- Closes a connection and forgets it.
local function forget(self, name)
    local connection = self.connections[name]
    self.connections[name] = nil
    pcall(connection.disconnect, connection)
end

--- Closes one connection if there are as many as allowed.
function client:close_existing_connection()
    local count = 0
    for _ in pairs(self.connections) do
        count = count + 1
    end
    if count > 0 and count >= self.max_connections then
        forget(self, (next(self.connections)))
    end
end

--- Closes all connections; commands make new ones.
function client:close_all_connection()
    local connections = self.connections
    self.connections = {}
    for _, connection in pairs(connections) do
        pcall(connection.disconnect, connection)
    end
end

--- The connection to a node. Raises socketchannel.error if there is none.
---@param node skynet.db.redis.cluster.node
---@return skynet.db.redis.connection
function client:get_connection(node)
    local name = named(node).name
    local connection = self.connections[name]
    if connection then
        return connection
    end
    return share(self.__connecting, name, function()
        self:close_existing_connection()
        local new = self:get_redis_link(node)
        self.connections[name] = new
        return new
    end)
end

--- The connection to any master that answers.
---@return skynet.db.redis.connection
function client:get_random_connection()
    local nodes = table.move(self.nodes, 1, #self.nodes, 1, {})
    if not nodes[1] then
        table.move(self.startup_nodes, 1, #self.startup_nodes, 1, nodes)
    end
    for left = #nodes, 1, -1 do
        local at = math.random(left)
        local node = nodes[at]
        nodes[at] = nodes[left]
        local ok, connection = pcall(self.get_connection, self, node)
        if ok then
            local answers, reply = pcall(connection.ping, connection)
            if answers and reply == "PONG" then
                return connection
            elseif self.connections[node.name] == connection then
                forget(self, node.name)
            end
        end
    end
    error "Can't reach a single startup node."
end

--- The connection to the node that has a slot, or to one that knows who has it.
---@param slot integer
---@return skynet.db.redis.connection
function client:get_connection_by_slot(slot)
    local node = self.slots[slot]
    if not node then
        return self:get_random_connection()
    end
    local ok, connection = pcall(self.get_connection, self, node)
    if ok then
        return connection
    end
    local slaves = node.slaves
    if self.opt.read_slave and slaves and slaves[1] then
        ok, connection = pcall(self.get_connection, self, slaves[math.random(#slaves)])
        if ok then
            connection:readonly()
            return connection
        end
    end
    return self:get_random_connection()
end

--------------------------------------------------------------------------------
-- Messages

-- Hands the messages of one node to who wants them.
local function receive(self, name, watch)
    while self.__watching[name] == watch do
        local ok, message, channel, pattern = pcall(watch.message, watch)
        if ok then
            if self.__onmessage then
                local handled, reason = pcall(self.__onmessage, message, channel, pattern)
                if not handled then
                    skynet.error("redis cluster: message", reason)
                end
            end
        elseif message ~= socketchannel.error then
            skynet.error("redis cluster: no message", message)
            skynet.sleep(LONG_PAUSE)
        end
    end
end

--- The connection for messages from a node.
---@param node skynet.db.redis.cluster.node
---@return skynet.db.redis.watch
function client:get_watch_connection(node)
    local name = named(node).name
    return self.__watching[name] or share(self.__connecting_watch, name, function()
        local watch = redis.watch(conf_of(self, node))
        self.__watching[name] = watch
        skynet.fork(receive, self, name, watch)
        return watch
    end)
end

--- The connection for messages from the node that has a slot.
---@param slot integer
---@return skynet.db.redis.watch
function client:get_watch_connection_by_slot(slot)
    if not self.slots[slot] then
        self:initialize_slots_cache()
    end
    local node = self.slots[slot]
    if not node then
        error(("redis cluster: no node has the slot %d"):format(slot))
    end
    return self:get_watch_connection(node)
end

--------------------------------------------------------------------------------
-- Commands

local function set(...)
    local names = {}
    for _, name in ipairs { ... } do
        names[name] = true
    end
    return names
end

--- They are about a node, not about a key.
local KEYLESS <const> = set("info", "multi", "exec", "slaveof", "config", "shutdown")
--- They have a script, the number of keys, the keys.
local SCRIPTS <const> = set("eval", "evalsha")
local SUBSCRIPTIONS <const> = set("subscribe", "unsubscribe", "psubscribe", "punsubscribe")
--- Their replies are whether something is so.
local QUESTIONS <const> = set("exists", "sismember")

--- The key by which a command finds its node: the first argument of most commands. If that is no key, the node that was
--- asked says who has it.
---@param cmd string   in lower case
---@param argv any[]   the command and its arguments
---@return any key     nil: there is none
function client:get_key_from_command(cmd, argv)
    if KEYLESS[cmd] then
        return nil
    elseif not SCRIPTS[cmd] then
        return argv[2]
    end
    local slot
    local keys = math.tointeger(tonumber(argv[3])) or 0
    for i = 4, math.min(3 + keys, argv.n or #argv) do
        local other = self:keyslot(argv[i])
        if slot and slot ~= other then
            error(("%s - all keys must map to the same key slot"):format(cmd))
        end
        slot = other
    end
    return argv[4]
end

-- What a node says about a slot that it does not have: whether it has gone for good, the slot, its node.
local function redirection(reason, asked)
    local kind, slot, host, port = tostring(reason):match "^(%u+) (%d+) (%S*):(%d+)$"
    if kind ~= "MOVED" and kind ~= "ASK" then
        return nil
    end
    return kind == "MOVED", integer(slot, 0, SLOTS - 1), node_of(host, port, asked)
end

-- Notes that a slot has another node, and perhaps others, too.
local function moved(self, slot, node)
    local before = self.slots[slot]
    node.slaves = before and before.slaves
    self.slots[slot] = node
    self.refresh_table_asap = true
end

-- Sends a command; the reply, or false and what the server or the connection has against it.
local function send(connection, words, asking)
    local replies = {}
    local ok, reason = pcall(connection.pipeline, connection, asking and { { "ASKING" }, words } or { words }, replies)
    local last = replies[asking and 2 or 1]
    if not ok then
        return false, reason
    end
    return last.ok, last.out
end

-- Sends a command to the node that has a slot, wherever that is.
local function dispatch(self, slot, words)
    local reason
    local there, elsewhere
    for attempt = 1, ATTEMPTS do
        local connection
        if there then
            connection = self:get_connection(there)
        elseif elsewhere then
            connection = self:get_random_connection()
        else
            connection = self:get_connection_by_slot(slot)
        end
        local host = connection[1].__host
        local ok, reply = send(connection, words, there)
        if ok then
            return reply
        end
        reason = reply
        there, elsewhere = nil, false
        if reply == socketchannel.error then
            elsewhere = true
            if attempt > ATTEMPTS // 2 then
                skynet.sleep(PAUSE)
            end
        else
            local for_good, other, node = redirection(reply, host)
            if for_good == nil then
                error(reply)
            elseif for_good then
                moved(self, other, node)
            else
                there = node
            end
        end
    end
    error(("Too many Cluster redirections?,maybe node is disconnected (last error: %q)"):format(tostring(reason)))
end

--- Sends a command to the node that has its key.
---@param name string
---@param ... any  its arguments, or a list of them
---@return any
function client:call(name, ...)
    local words = table.pack(name, ...)
    if type(words[2]) == "table" then
        local list = words[2]
        words = { name, table.unpack(list, 1, list.n or #list) }
    end
    local cmd = tostring(name):lower()
    local key = self:get_key_from_command(cmd, words)
    if key == nil then
        error("No way to dispatch this command to Redis Cluster: " .. tostring(name))
    end
    local slot = self:keyslot(key)
    if SUBSCRIPTIONS[cmd] then
        local watch = self:get_watch_connection_by_slot(slot)
        return watch[cmd](watch, table.unpack(words, 2, words.n))
    end
    if self.refresh_table_asap then
        self:initialize_slots_cache()
    end
    local reply = dispatch(self, slot, words)
    if QUESTIONS[cmd] then
        return reply ~= 0
    end
    return reply
end

setmetatable(client, {
    __index = function(methods, name)
        if type(name) ~= "string" then
            return nil
        end
        local function method(self, ...)
            return self:call(name, ...)
        end
        methods[name] = method
        return method
    end,
})

local client_meta = { __index = client }

---@class skynet.db.redis.cluster.options
---@field auth string?
---@field username string?
---@field db integer?
---@field limits skynet.db.redis.limits?
---@field max_connections integer?  256 by default
---@field read_slave boolean?       reads from a replica while there is no connection to its master

--- A client of the cluster that one of the nodes is in.
---@param startup_nodes skynet.db.redis.cluster.node|skynet.db.redis.cluster.node[]
---@param opt skynet.db.redis.cluster.options?
---@param onmessage fun(message: string, channel: string, pattern: string?)?  takes the messages that are subscribed to
---@return skynet.db.redis.cluster.client
function module.new(startup_nodes, opt, onmessage)
    opt = opt or {}
    local self = setmetatable({
        startup_nodes = #startup_nodes > 0 and startup_nodes or { startup_nodes },
        opt = opt,
        max_connections = opt.max_connections or MAX_CONNECTIONS,
        nodes = {},
        slots = {},
        connections = {},
        refresh_table_asap = false,
        -- A field that is missing would be a command.
        __onmessage = onmessage or false,
        __connecting = {},
        __watching = {},
        __connecting_watch = {},
    }, client_meta)
    self:initialize_slots_cache()
    return self
end

return module

--- A client of redis. Each of its commands is a method of a connection, in lower or upper case; see `command`.

local skynet = require "skynet"
local socketchannel = require "skynet.socketchannel"
local resp = require "skynet.db.redis.resp"

local DEFAULT_PORT <const> = 6379

---@class skynet.db.redis
local redis = {}

---@class skynet.db.redis.conf
---@field host string
---@field port integer?      6379 by default
---@field auth string?       the password
---@field username string?   whose it is; the default user's without it
---@field db integer?        the database to select
---@field overload fun(overload: boolean)?  as in skynet.socketchannel; not for `watch`
---@field limits skynet.db.redis.limits?    what a reply may have

-- The bytes of one command.
local function encode(name, words, count)
    local out = {}
    resp.append(out, name, words, count)
    return out
end

local function list_of(value)
    if type(value) == "table" then
        return value
    end
    return { value }
end

-- The function that authenticates new connections, if there is anything to do.
local function login(conf, read)
    local auth, db = conf.auth, conf.db
    local greeting = {}
    if auth then
        local words = conf.username and { conf.username, auth } or list_of(auth)
        table.insert(greeting, encode("AUTH", words, #words))
    end
    if db then
        table.insert(greeting, encode("SELECT", { db }, 1))
    end
    return greeting[1] and function(channel)
        for _, request in ipairs(greeting) do
            channel:request(request, read)
        end
    end
end

local function channel_of(conf, auth, overload)
    local channel = socketchannel.channel {
        host = conf.host,
        port = conf.port or DEFAULT_PORT,
        auth = auth,
        nodelay = true,
        overload = overload,
    }
    channel:connect(true)
    return channel
end

--------------------------------------------------------------------------------
-- Commands

---@class skynet.db.redis.connection
---@field [1] skynet.socketchannel.channel
---@field [2] fun(so: skynet.socketchannel.stream): boolean, any
local connection = {}

-- Makes a command's method: db:name(argument, ...), or db:name { argument, ... }. It returns the reply, and raises what
-- the server calls an error.
local function command(name, read)
    name = name:upper()
    return function(self, first, ...)
        local words, count
        if type(first) == "table" then
            words, count = first, first.n or #first
        elseif first == nil then
            words, count = {}, 0
        else
            words = table.pack(first, ...)
            count = words.n
        end
        return self[1]:request(encode(name, words, count), read and read(self) or self[2])
    end
end

setmetatable(connection, {
    __index = function(methods, name)
        if type(name) == "string" then
            local method = command(name)
            methods[name] = method
            return method
        end
    end,
})

-- Reads a number as whether it is not zero.
local function truth(self)
    local read = self[2]
    return function(so)
        local ok, value = read(so)
        if ok then
            value = value ~= 0
        end
        return ok, value
    end
end

---@type fun(self: skynet.db.redis.connection, key: any): boolean
connection.exists = command("exists", truth)

---@type fun(self: skynet.db.redis.connection, key: any, member: any): boolean
connection.sismember = command("sismember", truth)

--- Sends several commands at once.
---@param commands any[][]   each with its name first
---@param replies table[]?   takes for each { ok = whether it is no error, out = the reply }
---@return any  `replies`; without it the last command's reply, which is raised if it is an error
function connection:pipeline(commands, replies)
    assert(commands and #commands > 0, "pipeline is null")
    local out = {}
    for i, words in ipairs(commands) do
        local count = words.n or #words
        if count == 0 then
            error(("command %d of the pipeline is empty"):format(i), 2)
        end
        resp.append(out, nil, words, count)
    end
    local count = #commands
    local read = self[2]
    return self[1]:request(out, function(so)
        local ok, reply
        for _ = 1, count do
            ok, reply = read(so)
            if replies then
                table.insert(replies, { ok = ok, out = reply })
            end
        end
        if replies then
            return true, replies
        end
        return ok, reply
    end)
end

--- Closes the connection. The object is of no use after that.
function connection:disconnect()
    self[1]:close()
    setmetatable(self, nil)
end

local connection_meta = { __index = connection }

--- Connects; raises socketchannel.error if that cannot be done. A connection that breaks later is made again with the
--- next command.
---@param conf skynet.db.redis.conf
---@return skynet.db.redis.connection
function redis.connect(conf)
    local read = resp.reader(conf.limits)
    return setmetatable({ channel_of(conf, login(conf, read), conf.overload), read }, connection_meta)
end

--------------------------------------------------------------------------------
-- Subscriptions

---@class skynet.db.redis.watch
---@field __sock skynet.socketchannel.channel
---@field __read fun(so: skynet.socketchannel.stream): boolean, any
---@field __names table<string, table<string, true>>  what is subscribed to, by the command for it
local watch = {}

-- Makes the method for a command that says what to receive. `kept` is the one whose names it adds to or takes from.
local function subscription(name, kept, subscribed)
    return function(self, ...)
        local words = table.pack(...)
        for i = 1, words.n do
            self.__sock:request(encode(name, { words[i] }, 1))
            self.__names[kept][tostring(words[i])] = subscribed
        end
    end
end

--- These take channels, or patterns of channels.
---@type fun(self: skynet.db.redis.watch, ...: string)
watch.subscribe = subscription("SUBSCRIBE", "SUBSCRIBE", true)
watch.unsubscribe = subscription("UNSUBSCRIBE", "SUBSCRIBE", nil)
watch.psubscribe = subscription("PSUBSCRIBE", "PSUBSCRIBE", true)
watch.punsubscribe = subscription("PUNSUBSCRIBE", "PSUBSCRIBE", nil)

--- Waits for a message. Raises socketchannel.error when the connection is lost; the next call connects again, for as
--- long as it takes, and subscribes to the same as before.
---@return string message
---@return string channel
---@return string? pattern  the one that the channel fits, if it came for that
function watch:message()
    while true do
        local reply = self.__sock:response(self.__read)
        if type(reply) ~= "table" then
            error("redis: no message: " .. tostring(reply), 0)
        end
        local kind = reply[1]
        if kind == "message" then
            return reply[3], reply[2]
        elseif kind == "pmessage" then
            return reply[4], reply[3], reply[2]
        end
    end
end

--- Closes the connection. The object is of no use after that.
function watch:disconnect()
    self.__sock:close()
    setmetatable(self, nil)
end

local watch_meta = {
    __index = watch,
    __gc = function(self)
        -- A finalizer cannot wait until it is closed.
        skynet.fork(self.__sock.close, self.__sock)
    end,
}

--- Connects for messages only. Raises socketchannel.error if that cannot be done.
---@param conf skynet.db.redis.conf
---@return skynet.db.redis.watch
function redis.watch(conf)
    local read = resp.reader(conf.limits)
    local authenticate = login(conf, read)
    local names = { PSUBSCRIBE = {}, SUBSCRIBE = {} }
    -- This must not know the object, which is collected when nobody needs it.
    local function prepare(channel)
        if authenticate then
            authenticate(channel)
        end
        for name, subscribed in pairs(names) do
            for channel_name in pairs(subscribed) do
                channel:request(encode(name, { channel_name }, 1))
            end
        end
    end
    return setmetatable({ __sock = channel_of(conf, prepare), __read = read, __names = names }, watch_meta)
end

return redis

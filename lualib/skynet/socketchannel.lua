--- Requests over one TCP connection, which is made when it is needed and made again when it breaks.
---
--- What lives and dies. A channel lives as long as its user keeps it; a link is one connection of it, and at most one
--- is in use at a time. Each link has a reader: a task that hands what the peer sends to those who wait. A link ends
--- when its socket does, when what comes makes no sense, or when the channel is closed or gets another host. Its reader
--- then tells everybody who still waits on it, and ends, too. The next request makes a new link.
---
--- In order mode answers come in the order of the requests, and each request brings the function that reads its answer.
--- In session mode the channel's `response` reads all of them, and says which session each one is for.

local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"

local running = coroutine.running

--- Waits between attempts to connect get longer by this, up to the longest. Hundredths of a second.
local PAUSE_STEP <const> = 100
local LONGEST_PAUSE <const> = 1000

---@class skynet.socketchannel
local socketchannel = {}

--- What requests raise when the connection is lost or cannot be made.
socketchannel.error = setmetatable({}, {
    __tostring = function()
        return "[Error: socket]"
    end,
})

local LOST <const> = socketchannel.error

---@alias skynet.socketchannel.read fun(so: skynet.socketchannel.stream): boolean, any, boolean?
---@alias skynet.socketchannel.read_session fun(so: skynet.socketchannel.stream): any, boolean, any, boolean?
---@alias skynet.socketchannel.address string|{ host: string, port: integer }

--------------------------------------------------------------------------------
-- What response functions read from

---@class skynet.socketchannel.stream
---@field [1] integer  the socket
local stream = {}

--- Reads bytes; raises when the connection is lost.
---@param size integer?  as many as there are, at least one, without it
---@return string
function stream:read(size)
    return socket.read(self[1], size) or error(LOST)
end

--- Reads up to a separator, which is left out; raises when the connection is lost, or when the line is too long.
---@param separator string?  a newline by default
---@param limit integer?     the longest line, in bytes; any by default
---@return string
function stream:readline(separator, limit)
    local line = socket.readline(self[1], separator, limit)
    if line then
        return line
    end
    if line == nil then
        error(("a line of more than %d bytes"):format(limit))
    end
    error(LOST)
end

--------------------------------------------------------------------------------
-- Those who wait for answers

---@class skynet.socketchannel.waiter
---@field response skynet.socketchannel.read|any  the function or the session
---@field parts any[]?    of an answer in several parts
---@field ok boolean?     the answer is no error
---@field data any        the answer, or why there is none
---@field broken boolean? there is no answer, since the link has ended

-- Gives a waiter an answer or a part of it; false if more is to come.
local function deliver(waiter, ok, data, more)
    local parts = waiter.parts
    if ok and (more or parts) then
        parts = parts or {}
        parts[#parts + 1] = data
        waiter.parts = parts
        if more then
            return false
        end
        data = parts
    end
    waiter.ok, waiter.data = ok, data
    skynet.wakeup(waiter)
    return true
end

local function disappoint(waiter, reason)
    waiter.broken = true
    waiter.data = reason
    skynet.wakeup(waiter)
end

--------------------------------------------------------------------------------
-- Links

---@class skynet.socketchannel.link
---@field channel skynet.socketchannel.channel
---@field stream skynet.socketchannel.stream
---@field open boolean
---@field idle boolean       in order mode: the reader waits for somebody who wants an answer
---@field waiters table<any, skynet.socketchannel.waiter>  by session, or by number from `first` to `last`
---@field first integer
---@field last integer
---@field current skynet.socketchannel.waiter?  in order mode: whose answer is being read

-- Wakes a reader that waits.
local function rouse(link)
    if link.idle then
        link.idle = false
        skynet.wakeup(link)
    end
end

-- Ends a link. Its reader does the rest.
local function break_link(link)
    if not link.open then
        return
    end
    link.open = false
    local channel = link.channel
    if channel.__link == link then
        channel.__link = false
        channel.__sock = false
    end
    rouse(link)
    -- Whatever is wrong with the socket is no concern of those who want to be rid of it.
    pcall(socket.close, link.stream[1])
end

local function read_in_order(link)
    while link.open do
        local first = link.first
        local waiter = link.waiters[first]
        if waiter then
            link.waiters[first] = nil
            link.first = first + 1
            link.current = waiter
            local read = waiter.response
            repeat
                local done = deliver(waiter, read(link.stream))
            until done
            link.current = nil
        else
            link.idle = true
            skynet.wait(link)
        end
    end
end

local function deliver_to(link, session, ...)
    if not session then
        error(LOST)
    end
    local waiter = link.waiters[session]
    if not waiter then
        skynet.error("socket: unknown session :", session)
    elseif deliver(waiter, ...) then
        link.waiters[session] = nil
    end
end

local function read_by_session(link)
    local read = link.channel.__read_session
    while link.open do
        deliver_to(link, read(link.stream))
    end
end

-- The reader's task.
local function serve(link)
    local ended, reason = pcall(link.channel.__read_session and read_by_session or read_in_order, link)
    if ended then
        reason = "channel_closed"
    elseif reason == nil then
        reason = LOST
    end
    -- Nobody joins those who wait once the link is closed.
    break_link(link)
    if link.current then
        disappoint(link.current, reason)
    end
    for _, waiter in pairs(link.waiters) do
        disappoint(waiter, reason)
    end
    link.waiters = {}
end

-- What is called about a new link's unsent bytes, if the channel's user wants to know.
local function report_overload(link, notify)
    local channel = link.channel
    if channel.__overload then
        -- What could not be sent is gone with the link before.
        channel.__overload = false
        skynet.fork(notify, false)
    end
    socket.warning(link.stream[1], function(id, size)
        if channel.__link ~= link then
            return
        end
        local overload = size > 0
        if overload ~= channel.__overload then
            channel.__overload = overload
            notify(overload)
        elseif overload then
            skynet.error(("WARNING: %d K bytes need to send out (fd = %d)"):format(size, id),
                channel.__host, channel.__port)
        end
    end)
end

-- Makes a new socket the channel's link.
local function new_link(channel, id)
    ---@type skynet.socketchannel.link
    local link = {
        channel = channel,
        stream = setmetatable({ id }, channel.__stream_meta),
        open = true,
        idle = false,
        waiters = {},
        first = 1,
        last = 0,
    }
    if channel.__no_delay then
        driver.nodelay(id)
    end
    if channel.__on_overload then
        report_overload(link, channel.__on_overload)
    end
    if not channel.__read_session then
        socket.onclose(id, function()
            -- A reader at work notices by itself.
            if link.idle and link.open then
                skynet.error("socket closed by peer : ", channel.__host, channel.__port)
                break_link(link)
            end
        end)
    end
    channel.__link = link
    channel.__sock = link.stream
    skynet.fork(serve, link)
    return link
end

--------------------------------------------------------------------------------
-- Connecting

-- The addresses to try: the channel's own, then its backups, each of them once. The backups are looked at anew each
-- time, since authentication may change them.
local function addresses(channel)
    local host, port = channel.__host, channel.__port
    local tried
    return function()
        if not tried then
            tried = {}
            return host, port
        end
        for _, backup in ipairs(channel.__backups or {}) do
            local backup_host, backup_port = backup, port
            if type(backup) == "table" then
                backup_host, backup_port = backup.host, backup.port
            end
            local key = ("%s:%s"):format(backup_host, backup_port)
            if not tried[key] then
                tried[key] = true
                skynet.error("socket: connect to backup host", backup_host, backup_port)
                return backup_host, backup_port
            end
        end
    end
end

-- Whether a new link may be used. Without authentication it may.
local function authenticate(channel, link)
    if not channel.__authenticate then
        return true
    end
    channel.__authenticating = running()
    local ok, reason = pcall(channel.__authenticate, channel)
    channel.__authenticating = false
    if not ok then
        if reason ~= LOST then
            skynet.error("socket: auth failed", reason)
        end
        break_link(link)
    end
    return ok
end

-- Makes a link to one of the addresses; false and the reason if there is none.
local function establish(channel)
    local reason
    for host, port in addresses(channel) do
        if channel.__closed then
            break
        end
        local wanted_host, wanted_port = channel.__host, channel.__port
        local id, why = socket.open(host, port, channel.__keepalive)
        if not id then
            reason = why
        elseif channel.__closed then
            socket.close(id)
        elseif channel.__host ~= wanted_host or channel.__port ~= wanted_port then
            -- It has got another host in the meantime.
            socket.close(id)
            return establish(channel)
        else
            channel.__host, channel.__port = host, port
            local link = new_link(channel, id)
            if authenticate(channel, link) then
                -- Authentication may have changed the host.
                return link.open or establish(channel)
            end
            reason = "no more backup host"
        end
    end
    return false, reason
end

-- Tries once, and returns why that failed; or until there is a link or the channel is closed.
local function try(channel, once)
    local pause = 0
    while not channel.__closed do
        local connected, reason = establish(channel)
        if connected then
            if not once then
                skynet.error("socket: connect to", channel.__host, channel.__port)
            end
            return
        end
        if once then
            return reason
        end
        skynet.error("socket: connect", reason)
        if pause > LONGEST_PAUSE then
            skynet.error("socket: try to reconnect", channel.__host, channel.__port)
            skynet.sleep(pause)
            pause = 0
        else
            skynet.sleep(pause)
        end
        pause = pause + PAUSE_STEP
    end
end

-- Whether the running task may send; nil: not before it is connected.
local function usable(channel)
    local link = channel.__link
    local authenticating = channel.__authenticating
    local mine = authenticating and authenticating == running()
    if link and socket.disconnected(link.stream[1]) then
        skynet.error("socket: disconnect detected ", channel.__host, channel.__port)
        break_link(link)
    elseif link and (mine or not authenticating) then
        return true
    end
    -- The task that authenticates cannot wait for itself to connect again.
    if mine or channel.__closed then
        return false
    end
end

local connecting = {
    -- Also when the task was killed: the others must not wait for it.
    __close = function(self)
        local channel = self.channel
        channel.__connecting = false
        if channel.__authenticating then
            -- It was killed meanwhile, so the link is good for nothing. This task cannot wait until it is closed.
            channel.__authenticating = false
            if channel.__link then
                skynet.fork(break_link, channel.__link)
                channel.__link, channel.__sock = false, false
            end
        end
        for _, waiting in ipairs(self) do
            skynet.wakeup(waiting)
        end
    end,
}

-- Connects unless that was done; false if the channel is closed. Raises LOST when it cannot be done.
local function connect(channel, once)
    local can = usable(channel)
    if can ~= nil then
        return can
    end
    local reason
    local other = channel.__connecting
    if other then
        local me = running()
        table.insert(other, me)
        skynet.wait(me)
    else
        local mine <close> = setmetatable({ channel = channel }, connecting)
        channel.__connecting = mine
        reason = try(channel, once)
    end
    can = usable(channel)
    if can == nil then
        skynet.error("Connect failed", reason, channel.__host, channel.__port)
        error(LOST)
    end
    return can
end

-- The link to use, once there is one.
local function link_of(channel, once)
    if not connect(channel, once) then
        error "the channel is closed"
    end
    return channel.__link
end

--------------------------------------------------------------------------------
-- Channels

---@class skynet.socketchannel.channel
---@field __host string     where it is connected to, or will be
---@field __port integer?
---@field __sock skynet.socketchannel.stream|false
---@field __link skynet.socketchannel.link|false
---@field __connecting table|false       the tasks that wait for the one that connects
---@field __authenticating thread|false  the task that authenticates
---@field __closed boolean
---@field __overload boolean
local channel = {}

local function await(link, response)
    ---@type skynet.socketchannel.waiter
    local waiter = { response = response }
    if link.channel.__read_session then
        link.waiters[response] = waiter
    else
        local last = link.last + 1
        link.last = last
        link.waiters[last] = waiter
        rouse(link)
    end
    skynet.wait(waiter)
    if waiter.broken then
        error(waiter.data)
    end
    assert(waiter.ok, waiter.data)
    return waiter.data
end

--- Connects, and waits for it. A channel that was closed is open again.
---@param once boolean?  tries one time, and raises `error` if that fails; goes on trying without it
---@return boolean connected  false: the channel was closed in the meantime
function channel:connect(once)
    self.__closed = false
    return connect(self, once)
end

--- Sends a request, and waits for the answer. Connects first, if need be, but tries that one time.
---@param request string|string[]
---@param response skynet.socketchannel.read|any  in order mode the function that reads the answer, in session mode the
--- request's session; nil: there is no answer
---@param padding string[]?  more to send. All of it goes behind requests without this argument.
---@return any answer  a list, if it has several parts
function channel:request(request, response, padding)
    local link = link_of(self, true)
    local id = link.stream[1]
    local sent
    if padding then
        sent = socket.lwrite(id, request)
        for _, part in ipairs(padding) do
            sent = sent and socket.lwrite(id, part)
        end
    else
        sent = socket.write(id, request)
    end
    if not sent then
        break_link(link)
        error(LOST)
    end
    if response ~= nil then
        return await(link, response)
    end
end

--- Waits for something that the peer sends without a request. Goes on trying to connect, if need be.
---@param response skynet.socketchannel.read|any  as in `request`
---@return any
function channel:response(response)
    return await(link_of(self), response)
end

--- Closes it. Those who wait for answers get an error.
function channel:close()
    if not self.__closed then
        self.__closed = true
        if self.__link then
            break_link(self.__link)
        end
    end
end

--- Sets the host for the next connection, and closes this one.
---@param host string
---@param port integer?  as before without it
function channel:changehost(host, port)
    self.__host = host
    self.__port = port or self.__port
    if self.__link then
        break_link(self.__link)
    end
end

--- Sets the hosts to try when the channel's own cannot be connected to.
---@param backup skynet.socketchannel.address[]?  without a port, the channel's
function channel:changebackup(backup)
    self.__backups = backup
end

local channel_meta = { __index = channel }

---@class skynet.socketchannel.description
---@field host string
---@field port integer?   nil if it is in `host`
---@field backup skynet.socketchannel.address[]?  hosts to try when there is no connection to the first
---@field auth fun(channel: skynet.socketchannel.channel)?  called with each new connection, before others can use it;
--- an error means that it is no good
---@field response skynet.socketchannel.read_session?  makes it a channel in session mode
---@field nodelay boolean?  sends small pieces at once
---@field keepalive integer?  seconds after which a connection ends if the other machine is silent
---@field overload fun(overload: boolean)?  told when much waits to be sent, and when nothing does any more
---@field socket_read function?      replaces `read` of what response functions get
---@field socket_readline function?  replaces `readline`

--- Makes a channel. It connects with the first request.
---@param desc skynet.socketchannel.description
---@return skynet.socketchannel.channel
function socketchannel.channel(desc)
    return setmetatable({
        __host = assert(desc.host, "a socket channel needs a host"),
        __port = desc.port,
        __closed = false,
        __link = false,
        __sock = false,
        __connecting = false,
        __authenticating = false,
        __authenticate = desc.auth,
        __backups = desc.backup,
        __no_delay = desc.nodelay,
        __keepalive = desc.keepalive,
        __on_overload = desc.overload,
        __overload = false,
        __read_session = desc.response,
        __stream_meta = {
            __index = {
                read = desc.socket_read or stream.read,
                readline = desc.socket_readline or stream.readline,
            },
        },
    }, channel_meta)
end

return socketchannel

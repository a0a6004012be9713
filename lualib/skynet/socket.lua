--- Sockets for coroutines: a read blocks the coroutine that asks, never the service.
---
--- What lives here. `sockets` has a record for every socket that this service uses. A record begins when the socket is
--- attached to the service and ends with `close` or `abandon`; what it has read and nobody has taken is in its buffer.
--- When the service ends, every socket in `sockets` is closed.
---
--- Events come from the socket server as messages, one function each in `on`. They fill buffers, note what has
--- changed, and wake the one coroutine that waits for the socket; they take nothing out of a buffer. The coroutine
--- looks for itself what it was woken for.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"

local format = string.format
local running = coroutine.running
local push = driver.push
local pop = driver.pop
local readline = driver.readline
local readall = driver.readall

--- With more than this in a buffer, and nobody to take it, the socket is not read any further. Bytes.
local HIGH_WATER <const> = 128 * 1024

--- What a reader waits for, beside a number of bytes and a separator.
local NOTHING <const> = false
local EVERYTHING <const> = true

---@class skynet.socket
local socket = {}

---@class skynet.socket.record
---@field id integer
---@field buffer userdata|nil        what was read; nil where a callback takes what comes
---@field pool table                 memory of the buffer, where the driver keeps it in Lua
---@field callback function|nil      takes what comes: connections, or datagrams
---@field listening boolean|nil      it listens, and is still to be started
---@field udp boolean|nil            it is for datagrams
---@field failed boolean|nil         an error has come: there may be no more events
---@field address string|nil         where it listens
---@field port integer|nil           where it listens
---@field warn function|nil          called when much waits to be sent
---@field unsent integer|nil         how much waited when that was last told, in KiB
---@field open boolean               it can be read: the first event has come, and not the last
---@field opening boolean|string     no event has come yet; a string: it failed, for this reason
---@field want integer|string|boolean  what the reader waits for
---@field most integer|nil          how long the line may be that the reader waits for, in bytes
---@field waiter thread|false        the coroutine to wake at an event
---@field closer thread|false        the coroutine in `close` that lets the reader go first
---@field paused boolean|nil         not read for the time being; false: never to be paused again
---@field limit integer|nil          the most that the buffer may hold, in bytes
---@field overflowed boolean|nil     more than that has come

--- id -> record
---@type table<integer, skynet.socket.record>
local sockets = setmetatable({}, {
    __gc = function(all)
        for id in pairs(all) do
            driver.close(id)
        end
    end,
})

--- id -> function to call when the socket closes
local farewells = {}

local function wake(s)
    local waiter = s.waiter
    if waiter then
        s.waiter = false
        skynet.wakeup(waiter)
    end
end

-- The record of a socket; an error if this service has none.
local function known(id)
    local s = sockets[id]
    if not s then
        error(format("socket %s is not open in this service", id), 3)
    end
    return s
end

-- Stops reading. Messages that are here already are handled before the caller goes on.
local function hold(s, size)
    if s.paused ~= nil then
        return
    end
    s.paused = true
    driver.pause(s.id)
    skynet.error(format(size and "Pause socket (%d) size : %d" or "Pause socket (%d)", s.id, size))
    skynet.yield()
end

-- Blocks until the socket's next event for a waiter. A paused socket is read again, and not paused until the
-- coroutine has seen what has come.
local function await(s)
    if s.waiter then
        error(format("socket %d: another coroutine waits for it", s.id), 3)
    end
    local co = running()
    local resumed = s.paused
    s.waiter = co
    if resumed then
        skynet.error(format("Resume socket (%d)", s.id))
        driver.start(s.id)
    end
    skynet.wait(co)
    if s.waiter == co then
        s.waiter = false
    end
    if resumed and s.paused then
        s.paused = nil
    end
end

-- Blocks until the buffer has what is wanted, or never will.
local function expect(s, want, satisfied)
    if s.want ~= NOTHING then
        error(format("socket %d: another coroutine reads it", s.id), 3)
    end
    s.want = want
    repeat
        await(s)
    until not s.open or satisfied and satisfied(s, want)
    s.want = NOTHING
    if s.closer then
        skynet.wakeup(s.closer)
    end
end

--------------------------------------------------------------------------------
-- Events

-- Whether so many bytes in the buffer are what the reader waits for.
local function enough(s, size)
    local want = s.want
    if math.type(want) then
        return size >= want
    end
    if type(want) ~= "string" then
        return false
    end
    return s.most and size > s.most or readline(s.buffer, nil, want)
end

---@type table<integer, fun(id: integer, number: integer, data: any)>
local on = {}

local DATA <const> = 1
local CONNECT <const> = 2
local CLOSE <const> = 3
local ACCEPT <const> = 4
local ERROR <const> = 5
local UDP <const> = 6
local WARNING <const> = 7

on[DATA] = function(id, size, block)
    local s = sockets[id]
    if not s then
        skynet.error("socket: drop package from " .. id)
        driver.drop(block, size)
        return
    end
    if s.overflowed then
        -- It is being closed; what was on its way does not make the buffer larger.
        driver.drop(block, size)
        return
    end
    local total = push(s.buffer, s.pool, block, size)
    local counted = math.type(s.want)
    if s.limit and total > s.limit and not counted then
        skynet.error(format("socket buffer overflow: fd=%d size=%d", id, total))
        s.overflowed = true
        driver.close(id)
    elseif enough(s, total) then
        if total > HIGH_WATER then
            hold(s, total)
        end
        wake(s)
    elseif s.want == NOTHING and total > HIGH_WATER then
        hold(s, total)
    end
end

on[CONNECT] = function(id, port, address)
    local s = sockets[id]
    -- Reading on after a pause is announced in the same way.
    if s and not s.open then
        if s.listening then
            s.address, s.port = address, port
        end
        s.open = true
        wake(s)
    end
end

on[CLOSE] = function(id)
    local s = sockets[id]
    if s then
        s.open = false
        wake(s)
    else
        driver.close(id)
    end
    local farewell = farewells[id]
    if farewell then
        farewells[id] = nil
        farewell(id)
    end
end

on[ACCEPT] = function(id, accepted, address)
    local s = sockets[id]
    local callback = s and s.callback
    if callback then
        callback(accepted, address)
    else
        driver.close(accepted)
    end
end

on[ERROR] = function(id, _, reason)
    local s = sockets[id]
    if s and s.callback and not s.opening then
        -- One connection or datagram is lost, not the socket.
        skynet.error("socket: accept error:", reason)
        s.failed = true
        return
    end
    driver.shutdown(id)
    if not s then
        skynet.error("socket: error on unknown", id, reason)
        return
    end
    if s.open then
        skynet.error("socket: error on", id, reason)
    elseif s.opening then
        s.opening = reason
    end
    s.open = false
    wake(s)
end

on[UDP] = function(id, size, block, address)
    local s = sockets[id]
    local callback = s and s.callback
    if not callback then
        skynet.error("socket: drop udp package from " .. id)
        driver.drop(block, size)
        return
    end
    local datagram = skynet.tostring(block, size)
    driver.drop(block, size)
    callback(datagram, address)
end

local function warn(id, size)
    skynet.error(format("WARNING: %d K bytes need to send out (fd = %d)", size, id))
end

on[WARNING] = function(id, size)
    local s = sockets[id]
    if s then
        s.unsent = size;
        (s.warn or warn)(id, size)
    end
end

skynet.register_protocol {
    name = "socket",
    id = skynet.PTYPE_SOCKET,
    unpack = driver.unpack,
    dispatch = function(_, _, event, ...)
        on[event](...)
    end,
}

--------------------------------------------------------------------------------
-- Beginning and end

-- The record of a new socket.
local function record(id, callback)
    ---@type skynet.socket.record
    local s = {
        id = id,
        buffer = not callback and driver.buffer() or nil,
        pool = {},
        callback = callback,
        open = false,
        opening = true,
        want = NOTHING,
        waiter = false,
        closer = false,
        paused = nil,
        limit = nil,
    }
    sockets[id] = s
    return s
end

-- Waits for a socket's first event.
local function opened(s)
    await(s)
    local id, reason = s.id, s.opening
    s.opening = false
    if s.open then
        return id
    end
    if sockets[id] == s then
        sockets[id] = nil
    end
    return nil, reason ~= true and reason or nil
end

-- Makes the record of a socket that the server was asked for, and waits for its first event.
local function attach(id, callback)
    return opened(record(id, callback))
end

-- An error if the id is in use here. A socket that listens is there to be started.
local function check_free(id)
    local s = sockets[id]
    if s and not s.listening then
        error(format("socket %d is not closed", id), 3)
    end
    if farewells[id] then
        error(format("socket %d has an onclose callback", id), 3)
    end
end

--- Connects to a host.
---@param host string     a name or an address; "host:port" or "[host]:port" without a port
---@param port integer?
---@param keepalive integer?  seconds after which the connection ends if the other machine is silent
---@return integer? id
---@return string? reason  why there is no connection
function socket.open(host, port, keepalive)
    local id = driver.connect(host, port)
    check_free(id)
    if keepalive and driver.keepalive then
        driver.keepalive(id, keepalive)
    end
    return attach(id)
end

--- Listens for connections. They come when the socket is started with a callback for them. An address that cannot be
--- listened at is an error.
---@param host string      an address of this machine; "host:port" without a port
---@param port integer?    0: any
---@param backlog integer?  how many connections may wait to be accepted; 32 by default
---@return integer id
---@return string address  where it listens
---@return integer port
function socket.listen(host, port, backlog)
    local id = driver.listen(host, port, backlog)
    local s = record(id)
    s.listening = true
    local listens, reason = opened(s)
    if not listens then
        error(format("Listen error: %s", reason or "the socket was closed"), 2)
    end
    return id, s.address, s.port
end

--- Takes in a descriptor that is open already, and reads from it. The descriptor stays its opener's.
---@param fd integer  the operating system's number for it
---@return integer? id
---@return string? reason  why there is none
function socket.bind(fd)
    local id = driver.bind(fd)
    if id < 0 then
        return nil, "no socket server"
    end
    return attach(id)
end

--- The process's standard input.
---@return integer? id
---@return string? reason  why there is none
function socket.stdin()
    return socket.bind(0)
end

--- Takes over a socket that another service or an event has announced, and reads from it; begins to accept on one that
--- listens.
---@param id integer
---@param callback fun(id: integer, address: string)?  for one that listens: takes a new connection, to be started
---@return integer? id
---@return string? reason  why it cannot be read
function socket.start(id, callback)
    check_free(id)
    driver.start(id)
    return attach(id, callback)
end

--- Stops reading until somebody reads from the socket.
---@param id integer
function socket.pause(id)
    local s = sockets[id]
    if s then
        hold(s)
    end
end

--- Closes a socket, and waits until that is done. A coroutine that reads from it gets what has come so far.
---@param id integer
function socket.close(id)
    local s = sockets[id]
    if not s then
        return
    end
    driver.close(id)
    if s.open then
        -- It would not hear of the end if it were paused, and nobody shall start it again.
        s.paused = false
        if s.want ~= NOTHING then
            if s.closer then
                error(format("socket %d: another coroutine closes it", id), 2)
            end
            s.closer = running()
            skynet.wait(s.closer)
        elseif not (s.udp and s.failed) then
            await(s)
        end
        s.open = false
    elseif s.opening then
        -- Whoever waits for the first event need not wait any longer.
        s.opening = "closed"
        wake(s)
    end
    sockets[id] = nil
end

--- Closes a socket at once, without waiting and without sending what is left to send. The end comes as an event:
--- `close` is still to be called.
---@param id integer
function socket.shutdown(id)
    if sockets[id] then
        driver.shutdown(id)
    end
end

--- Closes a socket that this service has not started.
---@param id integer
function socket.close_fd(id)
    if sockets[id] then
        error(format("socket %d is started: use socket.close", id), 2)
    end
    driver.close(id)
end

--- Forgets a socket without closing it, so that another service can start it. A coroutine that reads from it gets what
--- has come so far.
---@param id integer
function socket.abandon(id)
    local s = sockets[id]
    if s then
        sockets[id] = nil
        farewells[id] = nil
        s.open = false
        wake(s)
    end
end

--- Calls a function when the socket closes, once.
---@param id integer
---@param callback fun(id: integer)?  nil takes it back
function socket.onclose(id, callback)
    farewells[id] = callback
end

--------------------------------------------------------------------------------
-- Reading

local function take_some(s)
    local all = readall(s.buffer, s.pool)
    if all ~= "" then
        return all
    end
end

local function take_size(s, size)
    return (pop(s.buffer, s.pool, size))
end

--- What there is instead of a line that is too long.
local TOO_LONG <const> = true

-- Whether more than the longest line and its end has come.
local function is_beyond(s, separator)
    if s.most then
        local _, total = pop(s.buffer, s.pool, 0)
        return total >= s.most + #separator
    end
    return false
end

local function take_line(s, separator)
    local line = readline(s.buffer, s.pool, separator)
    if s.most and (line and #line > s.most or not line and is_beyond(s, separator)) then
        return TOO_LONG
    end
    return line
end

local function has_some(s)
    return readline(s.buffer, nil, "")
end

-- Takes something from the buffer, or waits for it first. If it cannot be had any more: false and the rest.
local function obtain(s, want, take, has)
    local got = take(s, want)
    if not got and s.open and not s.closer then
        expect(s, want, has)
        got = take(s, want)
    end
    if got then
        return got
    end
    return false, readall(s.buffer, s.pool)
end

local function has_size(s, size)
    -- Nothing is taken when the number is too large, and the second result is what there is.
    local _, total = pop(s.buffer, s.pool, 0)
    return total >= size
end

local function has_line(s, separator)
    return readline(s.buffer, nil, separator) or is_beyond(s, separator)
end

--- Reads bytes: so many, or without a number as many as there are, at least one.
---@param id integer
---@param size integer?
---@return string|false bytes  false: the socket has closed
---@return string? rest        what was left when it closed
function socket.read(id, size)
    local s = known(id)
    if size then
        return obtain(s, size, take_size, has_size)
    end
    return obtain(s, 0, take_some, has_some)
end

--- Reads up to a separator, which is left out.
---@param id integer
---@param separator string?  a newline by default
---@param longest integer?    how long the line may be, in bytes; nil: as long as it comes
---@return string|false|nil line  false: the socket has closed before there was one; nil: it is too long, and may be gone
---@return string? rest       what was left when it closed
function socket.readline(id, separator, longest)
    local s = known(id)
    s.most = longest
    local line, rest = obtain(s, separator or "\n", take_line, has_line)
    if line == TOO_LONG then
        return nil
    elseif line then
        -- One result, as `obtain` gives: callers pass it on in calls and tables.
        return line
    end
    return false, rest
end

--- Reads everything until the socket closes.
---@param id integer
---@return string|false bytes  false: it was closed, and nothing was left
function socket.readall(id)
    local s = known(id)
    if s.open then
        expect(s, EVERYTHING)
        return readall(s.buffer, s.pool)
    end
    return take_some(s) or false
end

--- Waits until something arrives, whatever is in the buffer already, or the socket closes. A loop that has nothing to
--- ask the peer waits here, without being woken again by what it does not read.
---@param id integer
---@return boolean open  whether the socket is still open
function socket.block(id)
    local s = sockets[id]
    if not s or not s.open then
        return false
    end
    expect(s, 0, has_some)
    return s.open
end

--- Sets how much may wait in the buffer. With more the socket is closed, unless a number of bytes is being read.
---@param id integer
---@param limit integer  bytes
function socket.limit(id, limit)
    known(id).limit = limit
end

--- Turns one to four bytes into a number, the first byte the highest.
---@type fun(bytes: string): integer
socket.header = driver.header

--------------------------------------------------------------------------------
-- Writing

--- Sends, without waiting. What cannot be sent at once is kept, in order.
---@type fun(id: integer, data: string|string[]|userdata, size: integer?): boolean
socket.write = driver.send

--- Sends behind everything that `write` sends.
---@type fun(id: integer, data: string|string[]|userdata, size: integer?): boolean
socket.lwrite = driver.lsend

--- Sets what is called when much waits to be sent, and with 0 when all of it is; without it the log is told.
---@param id integer
---@param callback fun(id: integer, size: integer)?  the size in KiB
function socket.warning(id, callback)
    known(id).warn = callback
end

--- How much waited to be sent when a warning last told it: for those who send what nobody has to have.
---@param id integer
---@return integer size  in KiB; 0 as long as it is less than 1024, again when all is sent, and for what is no socket here
function socket.unsent(id)
    local s = sockets[id]
    return s and s.unsent or 0
end

--------------------------------------------------------------------------------
-- Datagrams

-- The record of a socket for datagrams, which is open from the beginning.
local function attach_udp(id, callback)
    local s = record(id, callback)
    s.udp = true
    s.open = true
    s.opening = false
    return id
end

--- A socket for datagrams.
---@param callback fun(datagram: string, from: string)  takes what comes; the address is packed, see `udp_address`
---@param host string?   without one any port of IPv4
---@param port integer?
---@return integer id
function socket.udp(callback, host, port)
    return attach_udp(driver.udp(host, port), callback)
end

--- A socket for datagrams that come to an address of this machine.
---@param host string
---@param port integer?
---@param callback fun(datagram: string, from: string)
---@return integer id
function socket.udp_listen(host, port, callback)
    return attach_udp(driver.udp_listen(host, port), callback)
end

--- A socket for datagrams to one address, to which `write` sends.
---@param host string
---@param port integer?
---@param callback fun(datagram: string, from: string)
---@return integer id
function socket.udp_dial(host, port, callback)
    return attach_udp(driver.udp_dial(host, port), callback)
end

--- Sets where `write` sends the datagrams of a socket.
---@param id integer
---@param host string
---@param port integer?
---@param callback fun(datagram: string, from: string)?  takes what comes from now on
function socket.udp_connect(id, host, port, callback)
    local s = sockets[id]
    if s and not s.udp then
        error(format("socket %d is not for datagrams", id), 2)
    end
    driver.udp_connect(id, host, port)
    if not s then
        attach_udp(id, callback)
    elseif callback then
        s.callback = callback
    end
end

--- Sends one datagram to a packed address.
---@type fun(id: integer, address: string, data: string|string[]|userdata, size: integer?): boolean
socket.sendto = driver.udp_send

--- Host and port of a packed address.
---@type fun(address: string): string, integer
socket.udp_address = driver.udp_address

--------------------------------------------------------------------------------
-- State

--- What the node's sockets are doing: id, type, address of the service, bytes and times of each.
---@type fun(): table[]
socket.netstat = driver.info

--- All addresses of a name. The service waits for the answer.
---@type fun(name: string): string[]
socket.resolve = driver.resolve

--- Whether this service has no such socket.
---@param id integer
---@return boolean
function socket.invalid(id)
    return sockets[id] == nil
end

--- Whether the socket has closed; nil if this service has no such socket.
---@param id integer
---@return boolean?
function socket.disconnected(id)
    local s = sockets[id]
    if s then
        return not (s.open or s.opening)
    end
end

return socket

--- What HTTP needs of sockets: `read` and `write` functions that raise an error when the connection has ended.

local skynet = require "skynet"
local socket = require "skynet.socket"
local internal = require "http.internal"

local read, readline, write = socket.read, socket.readline, socket.write
local socket_error = internal.socket_error
local sources = internal.sources

---@class http.sockethelper
local M = {}

--- The error of these functions. It is one value: compare with it; `tostring` says more.
M.socket_error = socket_error

local function fail_to_read(id)
    error(socket_error("read failed fd = " .. id))
end

-- A source takes no more from the socket than it is asked for.
---@class http.sockethelper.source: http.source
local Source = {}
Source.__index = Source

function Source:take_line(separator, longest)
    local line = readline(self.id, separator, longest)
    if line == false then
        fail_to_read(self.id)
    end
    return line
end

function Source:take(size)
    return read(self.id, size) or fail_to_read(self.id)
end

function Source:some()
    return read(self.id) or nil
end

function Source:rest()
    return ""
end

-- Reads from a string first.
local function with_bytes(id, bytes)
    return function(size)
        local first = bytes
        if not first then
            return read(id, size) or fail_to_read(id)
        end
        bytes = nil
        if not size or size == #first then
            return first
        end
        if size < #first then
            bytes = first:sub(size + 1)
            return first:sub(1, size)
        end
        local more = read(id, size - #first) or fail_to_read(id)
        return first .. more
    end
end

--- A function that reads so many bytes, without a number as many as there are.
---@param id integer
---@param bytes string?  to be read before what comes from the socket
---@return fun(size: integer?): string
function M.readfunc(id, bytes)
    if bytes then
        return with_bytes(id, bytes)
    end
    local function reader(size)
        return read(id, size) or fail_to_read(id)
    end
    sources[reader] = setmetatable({ id = id }, Source)
    return reader
end

--- Reads everything until the socket closes.
M.readall = socket.readall

--- A function that sends.
---@param id integer
---@return fun(bytes: string)
function M.writefunc(id)
    return function(bytes)
        if not write(id, bytes) then
            error(socket_error("write failed fd = " .. id))
        end
    end
end

-- Connects, or gives up after a while. A connection that comes later is closed.
local function open_in_time(host, port, timeout)
    local waiting = true
    local id, reason
    skynet.fork(function()
        local ok
        ok, id, reason = pcall(socket.open, host, port)
        if not ok then
            id, reason = nil, id
        end
        if waiting then
            waiting = false
            skynet.wakeup(timeout)
        elseif id then
            socket.close(id)
        end
    end)
    skynet.sleep(timeout.time, timeout)
    local late = waiting
    waiting = false
    return id, reason, late
end

--- Connects to a host; an error if that fails.
---@param host string
---@param port integer|string
---@param timeout integer?  in hundredths of a second; nil: as long as it takes
---@return integer id
function M.connect(host, port, timeout)
    local id, reason
    local late = false
    if timeout then
        id, reason, late = open_in_time(host, port, { time = timeout })
    else
        id, reason = socket.open(host, port)
    end
    if id then
        return id
    end
    error(socket_error(string.format("connect failed host = %s port = %s timeout = %s err = %s is_time_out = %s",
        host, port, timeout, reason, late)))
end

--- Closes a socket.
M.close = socket.close

--- Closes a socket at once, and wakes who reads from it; it is still to be closed.
M.shutdown = socket.shutdown

return M

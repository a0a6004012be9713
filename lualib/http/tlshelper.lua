--- What `http.sockethelper` is for a socket, for TLS on a socket. A connection that is over raises `socket_error`, as
--- there; whatever is wrong with TLS itself raises an error that says what.

local skynet = require "skynet"
local socket = require "skynet.socket"
local helper = require "http.sockethelper"
local internal = require "http.internal"
local ltls = require "ltls.c"

local socket_error = helper.socket_error
local find, sub = string.find, string.sub

local tlshelper = {}

--------------------------------------------------------------------------------
-- The handshake

-- One step of the handshake. What is wrong is also told to the other side, which would have to guess.
local function step(tls, write, received)
    local ok, reply = pcall(tls.handshake, tls, received)
    if ok then
        if reply then
            write(reply)
        end
        return
    end
    local told, alert = pcall(tls.write, tls)
    if told and alert ~= "" then
        pcall(write, alert)
    end
    error(reply, 0)
end

local function shake_hands(fd, tls, write)
    local read = helper.readfunc(fd)
    while not tls:finished() do
        step(tls, write, read())
    end
end

--- A function that does a client's part of the handshake; it may be given the server's host name.
---@param fd integer
---@param tls userdata
---@return fun(hostname: string?)
function tlshelper.init_requestfunc(fd, tls)
    return function(hostname)
        if hostname then
            tls:set_ext_host_name(hostname)
        end
        local write = helper.writefunc(fd)
        step(tls, write)
        shake_hands(fd, tls, write)
    end
end

--- A function that does a server's part of the handshake.
---@param fd integer
---@param tls userdata
---@return fun()
function tlshelper.init_responsefunc(fd, tls)
    return function()
        shake_hands(fd, tls, helper.writefunc(fd))
    end
end

--- A function that ends the use of TLS. The socket is the caller's to close.
---@param tls userdata
---@return fun()
function tlshelper.closefunc(tls)
    return function()
        tls:close()
    end
end

--------------------------------------------------------------------------------
-- Bytes

--- What was received; the bytes before `at` are taken.
---@class http.tlshelper.source: http.source
---@field buffer string
---@field at integer
local Source = {}
Source.__index = Source

local function receive(self)
    if self.tls:ended() then
        error(socket_error("the other side has closed fd = " .. self.fd))
    end
    return self.tls:read(self.read())
end

-- Receives so many bytes, or more, behind those that are there. Whatever comes before an error is kept.
local function fill(self, count)
    -- What came with the end of the handshake is inside already.
    local inside = self.tls:read()
    local pieces = { sub(self.buffer, self.at), inside }
    count = count - #inside
    local ok, piece = true, nil
    while ok and count > 0 do
        ok, piece = pcall(receive, self)
        if ok then
            pieces[#pieces + 1] = piece
            count = count - #piece
        end
    end
    self.buffer, self.at = table.concat(pieces), 1
    if not ok then
        error(piece, 0)
    end
end

local function count(self)
    return #self.buffer - self.at + 1
end

function Source:take(size)
    local missing = size - count(self)
    if missing > 0 then
        fill(self, missing)
    end
    local first = self.at
    self.at = first + size
    return sub(self.buffer, first, self.at - 1)
end

local function take_some(self)
    if count(self) == 0 then
        fill(self, 1)
    end
    return self:take(count(self))
end

function Source:some()
    local ok, bytes = pcall(take_some, self)
    if not ok and bytes ~= socket_error then
        error(bytes, 0)
    end
    return ok and bytes or nil
end

function Source:take_line(separator, longest)
    local from = self.at
    while true do
        local first, last = find(self.buffer, separator, from, true)
        if first then
            if first - self.at > longest then
                return nil
            end
            local line = sub(self.buffer, self.at, first - 1)
            self.at = last + 1
            return line
        end
        local there = count(self)
        if there >= longest + #separator then
            return nil
        end
        fill(self, 1)
        -- The separator may have begun already.
        from = math.max(there - #separator + 2, 1)
    end
end

function Source:rest()
    return ""
end

--- A function that reads as many bytes as it is asked for, or what there is.
---@param fd integer
---@param tls userdata
---@return fun(size: integer?): string
function tlshelper.readfunc(fd, tls)
    local source = setmetatable({ fd = fd, tls = tls, read = helper.readfunc(fd), buffer = "", at = 1 }, Source)
    local function reader(size)
        if size then
            return source:take(size)
        end
        return take_some(source)
    end
    internal.sources[reader] = source
    return reader
end

--- A function that reads until the other side has closed.
---@param fd integer
---@param tls userdata
---@return fun(): string
function tlshelper.readallfunc(fd, tls)
    return function()
        local pieces = { tls:read() }
        while not tls:ended() do
            local piece = socket.read(fd)
            if not piece then
                break
            end
            pieces[#pieces + 1] = tls:read(piece)
        end
        return table.concat(pieces)
    end
end

--- A function that sends.
---@param fd integer
---@param tls userdata
---@return fun(text: string)
function tlshelper.writefunc(fd, tls)
    local write = helper.writefunc(fd)
    return function(text)
        return write(tls:write(text))
    end
end

--------------------------------------------------------------------------------
-- Contexts and connections

--- Settings for connections. With `tls_cafile` in the config, clients accept no servers but those that its certificates
--- vouch for.
---@return userdata
function tlshelper.newctx()
    local context = ltls.newctx()
    local file = skynet.getenv "tls_cafile"
    if file then
        context:set_ca(file)
    end
    return context
end

--- One side of a connection.
---@param method string "client" or "server"
---@param context userdata
---@param hostname string? for a client: the server's name or address
---@return userdata
function tlshelper.newtls(method, context, hostname)
    return ltls.newtls(method, context, hostname)
end

return tlshelper

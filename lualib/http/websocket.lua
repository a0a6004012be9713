--- WebSocket (RFC 6455): servers and clients, over TCP and TLS.
---
--- A connection is known by its socket's id. It is in `connections` from its first moment until it is closed, by either
--- side; the functions that take an id work for as long.

local skynet = require "skynet"
local socket = require "skynet.socket"
local internal = require "http.internal"
local httpd = require "http.httpd"
local helper = require "http.sockethelper"
local frames = require "http.frames"
local handshake = require "http.handshake"

local socket_error = helper.socket_error
local format = string.format
local TEXT <const>, BINARY <const> = frames.TEXT, frames.BINARY
local CLOSE <const>, PING <const>, PONG <const> = frames.CLOSE, frames.PING, frames.PONG

---@class http.websocket
local M = {}

--- What is accepted, in bytes. A frame beyond it is refused before it is read.
M.limit = {
    server = 256 << 10,    -- a message, or a frame of it, that comes from a client
    client = 64 << 20,     -- one that comes from a server
}
local limit = M.limit

local OPCODES <const> = { text = TEXT, binary = BINARY }
local NAMES <const> = { [TEXT] = "text", [BINARY] = "binary" }

---@class http.websocket.connection
---@field id integer
---@field mode "server"|"client"
---@field addr string?      the other side, as who accepted or connected said
---@field real_ip string?   what a proxy says of it
---@field handle table<string, function>?  a server's callbacks
---@field source http.source
---@field parts http.frames.parts
---@field read fun(size: integer?): string
---@field write fun(bytes: string)
---@field close fun()       closes the socket
---@field wrong integer?    the code for what is wrong with the other side

--- id -> connection
---@type table<integer, http.websocket.connection>
local connections = {}

local function known(id)
    return connections[id] or error(format("websocket %s is not open", id), 3)
end

local function is_closed(self)
    return connections[self.id] ~= self
end

local function close(self)
    if not is_closed(self) then
        connections[self.id] = nil
        self.close()
    end
end

-- What clients send has to be masked, so that no proxy takes it for something else.
local function send(self, opcode, data, key)
    if not key and self.mode == "client" then
        key = math.random(0, 0xffffffff)
    end
    self.write(frames.encode(opcode, data or "", key))
end

-- Answers a ping, unless much waits to be sent already: who pings and does not read would have it grow without end. An
-- answer to the latest ping is enough (RFC 6455, 5.5.3).
local function answer_ping(self, data)
    if socket.unsent(self.id) == 0 then
        send(self, PONG, data)
    end
end

-- The next message or control frame: opcode and content. An error, when the connection is of no use any more.
local function receive(self)
    local opcode, data, code = frames.read(self.source, self.parts, limit[self.mode])
    if not opcode then
        self.wrong = code
        error(data)
    end
    return opcode, data
end

--------------------------------------------------------------------------------
-- Connections

-- The context of all connections of one mode.
local tls_contexts = {}

local function tls_context(tls, mode)
    local context = tls_contexts[mode]
    if not context then
        context = tls.newctx()
        if mode == "server" then
            context:set_cert(skynet.getenv "certfile" or "./server-cert.pem",
                skynet.getenv "keyfile" or "./server-key.pem")
        end
        tls_contexts[mode] = context
    end
    return context
end

-- Read and write functions over TLS, after the handshake, and how to end it.
local function begin_tls(id, mode, hostname)
    local tls = require "http.tlshelper"
    local session = tls.newtls(mode, tls_context(tls, mode), hostname)
    local init = mode == "server" and tls.init_responsefunc or tls.init_requestfunc
    local finish = tls.closefunc(session)
    local ok, reason = pcall(init(id, session))
    if not ok then
        finish()
        error(reason, 0)
    end
    return tls.readfunc(id, session), tls.writefunc(id, session), finish
end

-- `ws` or `wss`; an error otherwise.
local function check_protocol(protocol)
    if protocol ~= "ws" and protocol ~= "wss" then
        error(format("invalid websocket protocol:%s", protocol))
    end
end

-- A connection that reads and writes by an interface, or by what its protocol says.
local function attach(id, mode, protocol, hostname, interface)
    check_protocol(protocol)
    local read, write, finish
    if interface then
        read, write, finish = interface.read, interface.write, interface.close
    elseif protocol == "wss" then
        read, write, finish = begin_tls(id, mode, hostname)
    else
        read, write = helper.readfunc(id), helper.writefunc(id)
    end
    ---@type http.websocket.connection
    local self = {
        id = id,
        mode = mode,
        read = read,
        write = write,
        source = internal.source(read),
        parts = frames.no_parts(),
        close = function()
            socket.close(id)
            if finish then
                finish()
            end
        end,
    }
    connections[id] = self
    return self
end

--------------------------------------------------------------------------------
-- Servers

local function tell(self, event, ...)
    local handle = self.handle
    local callback = handle and handle[event]
    if callback then
        callback(self.id, ...)
    end
end

---@type table<integer, fun(self: http.websocket.connection, data: string): boolean?>
local on = {
    [TEXT] = function(self, data)
        tell(self, "message", data, NAMES[TEXT])
    end,
    [BINARY] = function(self, data)
        tell(self, "message", data, NAMES[BINARY])
    end,
    [PING] = function(self, data)
        answer_ping(self, data)
        tell(self, "ping")
    end,
    [PONG] = function(self)
        tell(self, "pong")
    end,
    [CLOSE] = function(self, data)
        send(self, CLOSE)
        tell(self, "close", frames.decode_close(data))
        return true
    end,
}

-- Reads the request, unless that was done, and answers it. Its headers and url, or nothing if it is refused.
local function shake_hands(self, upgrade)
    local header, url, text
    if upgrade then
        header, url = upgrade.header, upgrade.url
    else
        header, url, text = handshake.read(self.source)
    end
    local answer, code = nil, url
    if header then
        self.real_ip = header["x-real-ip"]
        answer, code, text = handshake.answer(header)
    end
    if answer then
        self.write(answer)
        return header, url
    end
    local ok, reason = httpd.write_response(self.write, code, text)
    if not ok then
        error(reason, 0)
    end
end

-- Serves a connection to its end.
local function serve(self, upgrade)
    tell(self, "connect")
    local header, url = shake_hands(self, upgrade)
    if header then
        tell(self, "handshake", header, url)
        while not is_closed(self) do
            local opcode, data = receive(self)
            if on[opcode](self, data) then
                return
            end
        end
    end
    tell(self, "close")
end

-- Has the socket's warnings told to the callback.
local function pass_warnings(self)
    local callback = self.handle and self.handle.warning
    return not callback or pcall(socket.warning, self.id, function(_, size)
        callback(self, size)
    end)
end

--- Takes over a socket that has been accepted, and serves it until it is closed, by calls of the functions in `handle`:
--- `connect(id)`, `handshake(id, header, url)`, `message(id, content, "text" or "binary")`, `ping(id)`, `pong(id)`,
--- `close(id, code, reason)`, `error(id, reason)`, `warning(connection, KiB)`. Any may be missing.
---@param id integer
---@param handle table<string, function>?
---@param protocol "ws"|"wss"|nil  `"ws"` by default
---@param addr string?  what `addrinfo` says
---@param options { upgrade: { header: table, method: string, url: string, interface: http.interface? }? }?
---    `upgrade`: the request, which has been read already; the interface that read it, unless it was the socket
---@return boolean ok
---@return any reason  what has gone wrong, other than that the connection has ended
function M.accept(id, handle, protocol, addr, options)
    local upgrade = options and options.upgrade
    if not upgrade then
        local started, reason = socket.start(id)
        if not started then
            return false, reason
        end
    end
    local attached, self = pcall(attach, id, "server", protocol or "ws", nil, upgrade and upgrade.interface)
    if not attached then
        socket.close(id)
        return false, self
    end
    self.handle = handle
    self.addr = addr
    if not pass_warnings(self) then
        close(self)
        return false, "connect is closed " .. id
    end

    local ok, reason = xpcall(serve, debug.traceback, self, upgrade)
    local closed = is_closed(self)
    if not closed then
        if self.wrong then
            pcall(send, self, CLOSE, frames.encode_close(self.wrong))
        end
        close(self)
    end
    if ok then
        return true
    end
    if reason ~= socket_error then
        return false, reason
    end
    if closed then
        tell(self, "close")
    else
        tell(self, "error", reason)
    end
    return true
end

--------------------------------------------------------------------------------
-- Clients

-- Host and port.
local function split_host(text)
    local host, port = text:match "^%[([^%]]+)%]:?(%d*)$"
    if host then
        return host, tonumber(port)
    end
    host, port = text:match "^([^:]+):?(%d*)$"
    if not host then
        error(format("invalid host: %s", text))
    end
    return host, tonumber(port)
end

--- Connects to a server; an error if that fails.
---@param url string  `ws://host:port/path` or `wss://...`
---@param header table<string, any>?  more headers for the request
---@param timeout integer?  how long connecting may take, in hundredths of a second
---@return integer id
function M.connect(url, header, timeout)
    local protocol, address, path = url:match "^(wss?)://([^/]+)(.*)$"
    if not protocol then
        error(format("invalid protocol: %s", protocol))
    end
    local host, port = split_host(address)
    local id = helper.connect(host, port or (protocol == "ws" and 80 or 443), timeout)
    local ok, self = pcall(attach, id, "client", protocol, host)
    if not ok then
        socket.close(id)
        error(self, 0)
    end
    self.addr = address
    local done, held = pcall(handshake.ask, self, host, path == "" and "/" or path, header)
    if not done then
        close(self)
        error(held, 0)
    end
    self.source = internal.source(self.read, held)
    return id
end

--- Waits for the next message. An error if the connection ends without a word. Pings are answered meanwhile.
---@param id integer
---@return string|false message  false: the other side closes the connection
---@return string? content       of the close frame: the code in two bytes, and the reason
function M.read(id)
    local self = known(id)
    while true do
        local ok, opcode, data = pcall(receive, self)
        if not ok then
            if self.wrong then
                M.close(id, self.wrong)
            end
            error(opcode, 0)
        end
        if opcode <= BINARY then
            return data
        elseif opcode == CLOSE then
            close(self)
            return false, data
        elseif opcode == PING then
            answer_ping(self, data)
        end
    end
end

--------------------------------------------------------------------------------
-- Both

--- Sends a message.
---@param id integer
---@param data string?
---@param fmt "text"|"binary"|nil  `"text"` by default
---@param masking_key integer?  32 bits; clients take a random one by default
function M.write(id, data, fmt, masking_key)
    local self = known(id)
    local opcode = OPCODES[fmt or "text"]
    if not opcode then
        error(format("fmt: \"text\" or \"binary\" is needed, not %s", fmt), 2)
    end
    send(self, opcode, data, masking_key)
end

--- Sends a ping.
---@param id integer
function M.ping(id)
    send(known(id), PING)
end

--- The other side, as `accept` was told, or of the URL of `connect`.
---@param id integer
---@return string?
function M.addrinfo(id)
    return known(id).addr
end

--- The client's address, as a proxy says it in the header `X-Real-IP`.
---@param id integer
---@return string?
function M.real_ip(id)
    return known(id).real_ip
end

--- Tells the other side and closes the connection.
---@param id integer
---@param code integer?  why, for the other side
---@param reason string?
function M.close(id, code, reason)
    local self = connections[id]
    if not self then
        return
    end
    local ok, failure = xpcall(function()
        send(self, CLOSE, frames.encode_close(code, reason))
    end, debug.traceback)
    close(self)
    if not ok then
        skynet.error(failure)
    end
end

--- Whether the connection is closed.
---@param id integer
---@return boolean
function M.is_close(id)
    return not connections[id]
end

return M

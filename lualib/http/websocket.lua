--- WebSocket (RFC 6455): servers and clients, over TCP and TLS.
---
--- A connection is known by its socket's id. It is in `connections` from its first moment until it is closed, by either
--- side; the functions that take an id work for as long.

local skynet = require "skynet"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"
local internal = require "http.internal"
local httpd = require "http.httpd"
local helper = require "http.sockethelper"

local socket_error = helper.socket_error
local format, lower, find = string.format, string.lower, string.find
local pack, unpack = string.pack, string.unpack

---@class http.websocket
local M = {}

--- What is accepted, in bytes. A frame beyond it is refused before it is read.
M.limit = {
    server = 256 << 10,    -- a message, or a frame of it, that comes from a client
    client = 64 << 20,     -- one that comes from a server
}
local limit = M.limit

--- What the key of a handshake is hashed with.
local GUID <const> = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

local CONTINUATION <const>, TEXT <const>, BINARY <const> = 0, 1, 2
local CLOSE <const>, PING <const>, PONG <const> = 8, 9, 10
local OPCODES <const> = { text = TEXT, binary = BINARY }
local NAMES <const> = { [TEXT] = "text", [BINARY] = "binary" }

--- Codes of the close frame for what is wrong with the other side.
local PROTOCOL_ERROR <const>, TOO_LARGE <const> = 1002, 1009

--- The most that a frame that is no part of a message has. Bytes.
local MAX_CONTROL <const> = 125

---@class http.websocket.connection
---@field id integer
---@field mode "server"|"client"
---@field addr string?      the other side, as who accepted or connected said
---@field real_ip string?   what a proxy says of it
---@field handle table<string, function>?  a server's callbacks
---@field source http.source
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

--------------------------------------------------------------------------------
-- Frames

local function write_frame(self, opcode, data, key)
    local size = #data
    local first, mask = 0x80 | opcode, key and 0x80 or 0
    local head
    if size < 126 then
        head = pack("BB", first, mask | size)
    elseif size <= 0xffff then
        head = pack(">BBI2", first, mask | 126, size)
    else
        head = pack(">BBI8", first, mask | 127, size)
    end
    if key then
        local bytes = pack(">I4", key)
        self.write(head .. bytes .. (size > 0 and crypt.xor_str(data, bytes) or ""))
    else
        self.write(head .. data)
    end
end

-- What clients send has to be masked, so that no proxy takes it for something else.
local function send(self, opcode, data, key)
    write_frame(self, opcode, data or "", key or self.mode == "client" and math.random(0, 0xffffffff) or nil)
end

-- The connection is of no use any more: the other side is told why, and the error is raised.
local function refuse(self, code, reason)
    self.wrong = code
    error(reason)
end

local function payload_size(self, size)
    if size == 126 then
        return (unpack(">I2", self.source:take(2)))
    elseif size == 127 then
        -- The highest bit is not to be set; it makes the number negative.
        size = unpack(">i8", self.source:take(8))
        if size < 0 then
            refuse(self, PROTOCOL_ERROR, "payload_len is negative")
        end
    end
    return size
end

-- A frame that may have so many bytes of a message: opcode, whether it is the last of its message, and content.
local function read_frame(self, most)
    local source = self.source
    local first, second = string.byte(source:take(2), 1, 2)
    local last, opcode = first & 0x80 ~= 0, first & 0x0f
    local size = payload_size(self, second & 0x7f)
    if first & 0x70 ~= 0 then
        refuse(self, PROTOCOL_ERROR, "reserved bits are set")
    end
    if opcode >= CLOSE and (size > MAX_CONTROL or not last) then
        refuse(self, PROTOCOL_ERROR, "a control frame is too large or in parts")
    end
    if opcode > PONG or opcode > BINARY and opcode < CLOSE then
        refuse(self, PROTOCOL_ERROR, format("opcode %d is unknown", opcode))
    end
    if opcode <= BINARY and size > most then
        refuse(self, TOO_LARGE, "payload_len is too large")
    end
    local key = second & 0x80 ~= 0 and source:take(4)
    local data = size > 0 and source:take(size) or ""
    if key and size > 0 then
        data = crypt.xor_str(data, key)
    end
    return opcode, last, data
end

-- The next message, or control frame: opcode and content. What has come of a message that other frames interrupt is
-- in `parts`, until it is complete.
local function read_message(self, parts)
    local most = limit[self.mode]
    while true do
        local opcode, last, data = read_frame(self, most - parts.size)
        if opcode > BINARY then
            return opcode, data
        end
        if (opcode == CONTINUATION) ~= (parts.opcode ~= nil) then
            refuse(self, PROTOCOL_ERROR, "a message is in the wrong order")
        end
        if last and not parts.opcode then
            return opcode, data
        end
        parts.opcode = parts.opcode or opcode
        if data ~= "" then
            parts.size = parts.size + #data
            internal.append(parts, data)
        end
        if last then
            data = table.concat(parts)
            opcode = parts.opcode
            for i = #parts, 1, -1 do
                parts[i] = nil
            end
            parts.size, parts.opcode = 0, nil
            return opcode, data
        end
    end
end

local function new_parts()
    return { size = 0, opcode = nil }
end

-- The code and the reason in a close frame's content, if there are any.
local function read_close(data)
    if #data >= 2 then
        return (unpack(">I2", data)), data:sub(3)
    end
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

local function accept_key(key)
    return crypt.base64encode(crypt.sha1(key .. GUID))
end

-- A header that comes once, in lower case.
local function lower_header(header, name)
    local value = header[name]
    return type(value) == "string" and lower(value) or nil
end

--------------------------------------------------------------------------------
-- Servers

-- Whether this is the base64 form of 16 bytes.
local function is_key(key)
    if type(key) ~= "string" or #key ~= 24 then
        return false
    end
    local ok, bytes = pcall(crypt.base64decode, key)
    return ok and #bytes == 16
end

-- The answer's header for the subprotocols that a client offers; nil, if they cannot be had.
local function choose_protocol(offered)
    if offered == nil then
        return ""
    end
    if type(offered) == "table" then
        offered = table.concat(offered, ",")
    end
    for protocol in offered:gmatch "[^%s,]+" do
        if protocol == "chat" then
            return "Sec-WebSocket-Protocol: chat\r\n"
        end
    end
end

-- Answers a request for a connection. Nothing, or the code and the text of a refusal.
local function answer_handshake(self, header)
    if lower_header(header, "upgrade") ~= "websocket" then
        return 426, "Upgrade Required"
    end
    if not header.host then
        return 400, "host Required"
    end
    local connection = header.connection
    if type(connection) == "table" then
        connection = table.concat(connection, ",")
    end
    if not connection or not find(lower(connection), "upgrade", 1, true) then
        return 400, "Connection must Upgrade"
    end
    local key = header["sec-websocket-key"]
    if not key then
        return 400, "Sec-WebSocket-Key Required"
    end
    if not is_key(key) then
        return 400, "Sec-WebSocket-Key invalid"
    end
    if header["sec-websocket-version"] ~= "13" then
        return 400, "Sec-WebSocket-Version must 13"
    end
    local protocol = choose_protocol(header["sec-websocket-protocol"])
    if not protocol then
        return 400, "Sec-WebSocket-Protocol need include chat"
    end
    self.real_ip = header["x-real-ip"]
    self.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        .. "Sec-WebSocket-Accept: " .. accept_key(key) .. "\r\n" .. protocol .. "\r\n")
end

-- The head of a client's request: headers and url, or nil, and the code and the text of a refusal.
local function read_handshake(self)
    local lines = internal.read_head(self.source)
    if not lines then
        return nil, 413
    end
    local method, url, version = lines[1]:match "^(%a+)%s+(.*%S)%s+HTTP/([%d%.]+)$"
    version = assert(tonumber(version))
    if method ~= "GET" then
        return nil, 400, "need GET method"
    end
    if version < 1.1 then
        return nil, 505
    end
    local header = internal.parseheader(lines, 2, {})
    if not header then
        return nil, 400
    end
    return header, url
end

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
        send(self, PONG, data)
        tell(self, "ping")
    end,
    [PONG] = function(self)
        tell(self, "pong")
    end,
    [CLOSE] = function(self, data)
        send(self, CLOSE)
        tell(self, "close", read_close(data))
        return true
    end,
}

-- Serves a connection to its end.
local function serve(self, upgrade)
    tell(self, "connect")
    local header, url, text
    if upgrade then
        header, url = upgrade.header, upgrade.url
    else
        header, url, text = read_handshake(self)
    end
    local code = url
    if header then
        code, text = answer_handshake(self, header)
    end
    if code then
        local ok, reason = httpd.write_response(self.write, code, text)
        if not ok then
            error(reason, 0)
        end
        tell(self, "close")
        return
    end
    tell(self, "handshake", header, url)
    local parts = new_parts()
    while not is_closed(self) do
        local opcode, data = read_message(self, parts)
        if on[opcode](self, data) then
            return
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
            pcall(send, self, CLOSE, pack(">I2", self.wrong))
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

local function ask(self, host, url, header)
    local key = crypt.base64encode(crypt.randomkey() .. crypt.randomkey())
    local request = {
        ["Upgrade"] = "websocket",
        ["Connection"] = "Upgrade",
        ["Sec-WebSocket-Version"] = "13",
        ["Sec-WebSocket-Key"] = key,
    }
    for name, value in pairs(header or {}) do
        assert(request[name] == nil, name)
        request[name] = value
    end
    local received = {}
    local code, held = internal.request(self, "GET", host, url, received, request)
    if code ~= 101 then
        error(format("websocket handshake error: code[%s] info:%s", code, held))
    end
    self.source = internal.source(self.read, held)
    if lower_header(received, "upgrade") ~= "websocket" then
        error "websocket handshake upgrade must websocket"
    end
    if lower_header(received, "connection") ~= "upgrade" then
        error "websocket handshake connection must upgrade"
    end
    local accepted = received["sec-websocket-accept"]
    if not accepted then
        error "websocket handshake need Sec-WebSocket-Accept"
    end
    if accepted ~= accept_key(key) then
        error "websocket handshake invalid Sec-WebSocket-Accept"
    end
end

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
    local done, reason = pcall(ask, self, host, path == "" and "/" or path, header)
    if not done then
        close(self)
        error(reason, 0)
    end
    return id
end

--- Waits for the next message. An error if the connection ends without a word. Pings are answered meanwhile.
---@param id integer
---@return string|false message  false: the other side closes the connection
---@return string? content       of the close frame: the code in two bytes, and the reason
function M.read(id)
    local self = known(id)
    local parts = self.parts or new_parts()
    self.parts = parts
    while true do
        local ok, opcode, data = pcall(read_message, self, parts)
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
            send(self, PONG, data)
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
        send(self, CLOSE, code and pack(">I2", code) .. (reason or ""))
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

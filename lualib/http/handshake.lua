--- The requests that begin WebSocket connections, and their answers (RFC 6455, section 4).

local crypt = require "skynet.crypt"
local internal = require "http.internal"

local format, lower, find = string.format, string.lower, string.find

local M = {}

--- What the key of a handshake is hashed with.
local GUID <const> = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

local function accept_key(key)
    return crypt.base64encode(crypt.sha1(key .. GUID))
end

-- A header that comes once, in lower case.
local function once(header, name)
    local value = header[name]
    return type(value) == "string" and lower(value) or nil
end

-- A header that is a list and may come more than once, as one string.
local function joined(header, name)
    local value = header[name]
    return type(value) == "table" and table.concat(value, ",") or value
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
    if not offered then
        return ""
    end
    for protocol in offered:gmatch "[^%s,]+" do
        if protocol == "chat" then
            return "Sec-WebSocket-Protocol: chat\r\n"
        end
    end
end

--- Reads the head of a client's request.
---@param source http.source
---@return table? header  nil: it is refused
---@return string|integer url_or_code
---@return string? text   of a refusal
function M.read(source)
    local lines = internal.read_head(source)
    if not lines then
        return nil, 413
    end
    local method, url, version = internal.parse_request(lines[1])
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

--- The answer to a request that has been read.
---@param header table<string, string|string[]>
---@return string? answer  nil: it is refused
---@return integer? code
---@return string? text
function M.answer(header)
    if once(header, "upgrade") ~= "websocket" then
        return nil, 426, "Upgrade Required"
    end
    if not header.host then
        return nil, 400, "host Required"
    end
    if not find(lower(joined(header, "connection") or ""), "upgrade", 1, true) then
        return nil, 400, "Connection must Upgrade"
    end
    local key = header["sec-websocket-key"]
    if not key then
        return nil, 400, "Sec-WebSocket-Key Required"
    end
    if not is_key(key) then
        return nil, 400, "Sec-WebSocket-Key invalid"
    end
    if header["sec-websocket-version"] ~= "13" then
        return nil, 400, "Sec-WebSocket-Version must 13"
    end
    local protocol = choose_protocol(joined(header, "sec-websocket-protocol"))
    if not protocol then
        return nil, 400, "Sec-WebSocket-Protocol need include chat"
    end
    return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        .. "Sec-WebSocket-Accept: " .. accept_key(key) .. "\r\n" .. protocol .. "\r\n"
end

--------------------------------------------------------------------------------
-- Clients

--- Asks a server for a connection; an error if it refuses.
---@param interface http.interface
---@param host string
---@param url string
---@param header table<string, any>?  more headers
---@return string held  what was read beyond the answer
function M.ask(interface, host, url, header)
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
    local code, held = internal.request(interface, "GET", host, url, received, request)
    if code ~= 101 then
        error(format("websocket handshake error: code[%s] info:%s", code, held))
    end
    if once(received, "upgrade") ~= "websocket" then
        error "websocket handshake upgrade must websocket"
    end
    if once(received, "connection") ~= "upgrade" then
        error "websocket handshake connection must upgrade"
    end
    local accepted = received["sec-websocket-accept"]
    if not accepted then
        error "websocket handshake need Sec-WebSocket-Accept"
    end
    if accepted ~= accept_key(key) then
        error "websocket handshake invalid Sec-WebSocket-Accept"
    end
    return held
end

return M

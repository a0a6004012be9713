--- WebSocket frames (RFC 6455, section 5) as bytes.

local crypt = require "skynet.crypt"
local internal = require "http.internal"

local pack, unpack, byte = string.pack, string.unpack, string.byte

local M = {}

local CONTINUATION <const> = 0
M.TEXT, M.BINARY = 1, 2
M.CLOSE, M.PING, M.PONG = 8, 9, 10

local BINARY <const>, CLOSE <const>, PONG <const> = M.BINARY, M.CLOSE, M.PONG

--- Codes of the close frame for what is wrong with the other side.
local PROTOCOL_ERROR <const>, TOO_LARGE <const> = 1002, 1009

--- The most that a frame that is no part of a message has. Bytes.
local MAX_CONTROL <const> = 125

--- A frame that is a message, or controls the connection.
---@param opcode integer
---@param data string
---@param key integer?  masks it; 32 bits
---@return string
function M.encode(opcode, data, key)
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
    if not key then
        return head .. data
    end
    local bytes = pack(">I4", key)
    return head .. bytes .. (size > 0 and crypt.xor_str(data, bytes) or "")
end

--- The content of a close frame.
---@param code integer?
---@param reason string?
---@return string
function M.encode_close(code, reason)
    return code and pack(">I2", code) .. (reason or "") or ""
end

--- The code and the reason in a close frame's content, if there are any.
---@param data string
---@return integer? code
---@return string? reason
function M.decode_close(data)
    if #data >= 2 then
        return (unpack(">I2", data)), data:sub(3)
    end
end

-- The size of a frame's content. The highest bit is not to be set; it makes the number negative.
local function read_size(source, size)
    if size == 126 then
        return (unpack(">I2", source:take(2)))
    elseif size == 127 then
        return (unpack(">i8", source:take(8)))
    end
    return size
end

-- What is wrong with the head of a frame that may have so many bytes of a message.
local function check(opcode, last, reserved, size, most)
    if size < 0 then
        return PROTOCOL_ERROR, "payload_len is negative"
    elseif reserved then
        return PROTOCOL_ERROR, "reserved bits are set"
    elseif opcode > PONG or opcode > BINARY and opcode < CLOSE then
        return PROTOCOL_ERROR, "opcode " .. opcode .. " is unknown"
    elseif opcode <= BINARY then
        if size > most then
            return TOO_LARGE, "payload_len is too large"
        end
    elseif size > MAX_CONTROL or not last then
        return PROTOCOL_ERROR, "a control frame is too large or in parts"
    end
end

-- Opcode, content and whether it is the last of its message; or nil, what is wrong, and the code for it.
local function read_frame(source, most)
    local first, second = byte(source:take(2), 1, 2)
    local last, opcode = first & 0x80 ~= 0, first & 0x0f
    local size = read_size(source, second & 0x7f)
    local code, wrong = check(opcode, last, first & 0x70 ~= 0, size, most)
    if code then
        return nil, wrong, code
    end
    local key = second & 0x80 ~= 0 and source:take(4)
    local data = size > 0 and source:take(size) or ""
    if key and size > 0 then
        data = crypt.xor_str(data, key)
    end
    return opcode, data, last
end

---@class http.frames.parts  what has come of a message that is not complete
---@field size integer
---@field opcode integer?  what the message is; nil: there is none
---@field [integer] string

---@return http.frames.parts
function M.no_parts()
    return { size = 0, opcode = nil }
end

-- The whole of a message, of which no parts are left.
local function join(parts)
    local data = table.concat(parts)
    for i = #parts, 1, -1 do
        parts[i] = nil
    end
    parts.size, parts.opcode = 0, nil
    return data
end

--- Reads the next message or control frame.
---@param source http.source
---@param parts http.frames.parts  keeps a message in parts that control frames interrupt
---@param most integer  how large a message may be, in bytes
---@return integer? opcode  nil: what has come is no frame, or too large
---@return string data      without an opcode what is wrong
---@return integer? code    without an opcode what to tell the other side
function M.read(source, parts, most)
    while true do
        local opcode, data, last = read_frame(source, most - parts.size)
        if not opcode or opcode > BINARY then
            return opcode, data, last
        end
        if (opcode == CONTINUATION) ~= (parts.opcode ~= nil) then
            return nil, "a message is in the wrong order", PROTOCOL_ERROR
        end
        if last and not parts.opcode then
            return opcode, data
        end
        opcode = parts.opcode or opcode
        parts.opcode = opcode
        if data ~= "" then
            parts.size = parts.size + #data
            internal.append(parts, data)
        end
        if last then
            return opcode, join(parts)
        end
    end
end

return M

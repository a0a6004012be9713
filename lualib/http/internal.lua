--- HTTP messages as servers and clients both need them: heads, chunks, and bodies.
---
--- Everything is read through a source. A source has `take_line`, `take`, `some` and `rest`; one is made of any `read`
--- function, and keeps what came with a head and belongs to what follows. A source that takes no more than it is asked
--- for (`http.sockethelper` makes one of a socket) can be registered for its `read` function in `sources`. Messages that
--- follow one another on a connection are then told apart even if they arrive together.

local find, sub, byte, lower, format = string.find, string.sub, string.byte, string.lower, string.format
local match = string.match
local concat = table.concat
local tonumber = tonumber

---@class http.source
---@field take_line fun(self: http.source, separator: string, longest: integer): string?  nil: it is longer
---@field take fun(self: http.source, size: integer): string  so many bytes
---@field some fun(self: http.source): string?  at least a byte; nil: there is no more
---@field rest fun(self: http.source): string   what was read and not taken

---@class http.interface
---@field read fun(size: integer?): string    so many bytes, without a size as many as there are; an error at the end
---@field write fun(bytes: string)

---@class http.internal
local M = {}

--- What is accepted. A message beyond it is refused before it is read.
M.limit = {
    line = 8192,           -- the first line of a message, in bytes
    head = 8192,           -- all lines in front of the body, in bytes
    headers = 256,         -- how many of them there are
    body = 64 << 20,       -- a body, in bytes, for which the caller gives no other limit
    chunk_line = 128,      -- the line in front of a chunk, in bytes
    interim = 8,           -- how many responses of the kind `100 Continue` precede the real one
}
local limit = M.limit

--- `read` functions -> their sources.
---@type table<function, http.source>
M.sources = setmetatable({}, { __mode = "k" })
local sources = M.sources

--- What `read` and `write` functions of sockets raise. It is one value, to be compared with; called with a text it
--- keeps that for the next `tostring`.
M.socket_error = setmetatable({}, {
    __call = function(self, text)
        self.text = "[Socket Error] : " .. tostring(text)
        return self
    end,
    __tostring = function(self)
        local text = self.text
        self.text = nil
        return text or "[Socket Error]"
    end,
})
local socket_error = M.socket_error

--------------------------------------------------------------------------------
-- Sources

local Held = {}
Held.__index = Held

function Held:take_line(separator, longest)
    local held = self.held
    local from = 1
    while true do
        local first, last = find(held, separator, from, true)
        if first then
            self.held = sub(held, last + 1)
            if first - 1 > longest then
                return nil
            end
            return sub(held, 1, first - 1)
        end
        if #held >= longest + #separator then
            self.held = held
            return nil
        end
        from = math.max(#held - #separator + 2, 1)
        held = held .. self.read()
    end
end

function Held:take(size)
    local held = self.held
    if #held >= size then
        self.held = sub(held, size + 1)
        return sub(held, 1, size)
    end
    self.held = ""
    local bytes = held .. self.read(size - #held)
    if #bytes ~= size then
        error(format("read gave %d bytes instead of %d", #bytes, size), 0)
    end
    return bytes
end

function Held:some()
    local bytes = self.held
    self.held = ""
    while bytes == "" do
        local ok, more = pcall(self.read)
        if not ok and more ~= socket_error then
            error(more, 0)
        end
        bytes = ok and more or nil
    end
    return bytes
end

function Held:rest()
    return self.held
end

--- The source of a `read` function.
---@param read fun(size: integer?): string
---@param held string?  what was read already; the source begins with it
---@return http.source
function M.source(read, held)
    local source = sources[read]
    if source and (held == nil or held == "") then
        return source
    end
    return setmetatable({ read = read, held = held or "" }, Held)
end
local source_of = M.source

--- Adds a piece to what `joined` makes one string of. However small the pieces are, there are few of them at a time.
---@param pieces string[]
---@param piece string
function M.append(pieces, piece)
    local count = #pieces
    while count > 0 and #pieces[count] <= #piece do
        piece = pieces[count] .. piece
        pieces[count] = nil
        count = count - 1
    end
    pieces[count + 1] = piece
end
local append = M.append

--------------------------------------------------------------------------------
-- Heads

-- Lines of a text without its last end of line; nil: they are too many.
local function split(text, lines)
    local count, from = 0, 1
    while true do
        count = count + 1
        if count > limit.headers + 1 then
            return nil
        end
        local at = find(text, "\r\n", from, true)
        if not at then
            lines[count] = sub(text, from)
            return lines
        end
        lines[count] = sub(text, from, at - 1)
        from = at + 2
    end
end

--- Reads a message's head.
---@param source http.source
---@return string[]? lines  nil: it is too large
function M.read_head(source)
    local text = source:take_line("\r\n\r\n", limit.head)
    if text and byte(text) == 13 and sub(text, 1, 2) == "\r\n" then
        -- An empty line too much after the message before.
        text = sub(text, 3)
    end
    return text and split(text, {})
end

--- The parts of a request's first line; an error, if it is none.
---@param line string
---@return string method
---@return string url
---@return number version
function M.parse_request(line)
    local method, url, version = match(line, "^(%a+)%s+(.*%S)%s+HTTP/([%d%.]+)$")
    return method, url, assert(tonumber(version))
end

-- Lines up to an empty one.
local function read_lines(source, lines)
    local room = limit.head
    while true do
        local line = source:take_line("\r\n", room)
        if line == "" then
            return true
        end
        if not line or #lines > limit.headers then
            return false
        end
        room = math.max(room - #line - 2, 0)
        lines[#lines + 1] = line
    end
end

--- Reads lines up to an empty one.
---@param read fun(size: integer?): string
---@param lines string[]  gets the lines
---@param held string     what was read already
---@return string? rest    what was read beyond them; nil: they are too large
function M.recvheader(read, lines, held)
    local source = source_of(read, held)
    if read_lines(source, lines) then
        return source:rest()
    end
end

local function add(header, name, value)
    local known = header[name]
    if known == nil then
        header[name] = value
    elseif type(known) == "table" then
        known[#known + 1] = value
    else
        header[name] = { known, value }
    end
end

local function continue(header, name, more)
    local known = header[name]
    if type(known) == "table" then
        known[#known] = known[#known] .. more
    else
        header[name] = known .. more
    end
end

local SPACE <const>, TAB <const> = 32, 9

--- Turns header lines into a table.
---@param lines string[]
---@param from integer  the first of them
---@param header table<string, string|string[]>  gets name -> value, names in lower case; a list, if a name comes again
---@return table<string, string|string[]>? header  nil: a line is none
function M.parseheader(lines, from, header)
    local name
    for i = from, #lines do
        local line = lines[i]
        local first = byte(line)
        if first == TAB or first == SPACE then
            if not name then
                return nil
            end
            continue(header, name, sub(line, 2))
        else
            local word, value = match(line, "^([^%s:]+):%s*(.*)")
            if not word or find(line, "\n", 1, true) then
                return nil
            end
            name = lower(word)
            add(header, name, value)
        end
    end
    return header
end
local parseheader = M.parseheader

--- How the body is sent.
---@param header table<string, string|string[]>
---@return string? mode  "chunked" or "identity"; nil: in a way that is not supported
function M.transfer(header)
    local mode = header["transfer-encoding"]
    if mode == nil then
        return "identity"
    end
    mode = type(mode) == "string" and match(lower(mode), "^(.-)%s*$")
    return (mode == "chunked" or mode == "identity") and mode or nil
end
local transfer = M.transfer

--- The body's length, if the head says it.
---@param header table<string, string|string[]>
---@return integer|false|nil length  nil: there is none; false: it is not a number
function M.length(header)
    local value = header["content-length"]
    if value == nil then
        return nil
    end
    if type(value) == "table" then
        for i = 2, #value do
            if value[i] ~= value[1] then
                return false
            end
        end
        value = value[1]
    end
    local digits = match(value, "^(%d+)%s*$")
    return digits and #digits <= 15 and tonumber(digits) or false
end
local length_of = M.length

--------------------------------------------------------------------------------
-- Bodies

-- The size of the next chunk; nil if there is none, or it is larger.
local function chunk_size(source, most)
    local line = source:take_line("\r\n", limit.chunk_line)
    local digits = line and (match(line, "^%s*(%x+)%s*$") or match(line, "^%s*(%x+)%s*;"))
    local size = digits and #digits <= 15 and tonumber(digits, 16)
    return size and size <= most and size or nil
end

local function read_trailers(source, header)
    local lines = {}
    return read_lines(source, lines) and parseheader(lines, 1, header)
end

--- Reads a body of chunks.
---@param source http.source
---@param most integer  bytes
---@param header table<string, string|string[]>  gets the headers that come after the body
---@return string? body  nil: it is too large, or malformed
function M.read_chunks(source, most, header)
    local pieces, total = {}, 0
    while true do
        local size = chunk_size(source, most - total)
        if not size then
            return nil
        end
        if size == 0 then
            return read_trailers(source, header) and concat(pieces)
        end
        total = total + size
        append(pieces, source:take(size))
        if source:take(2) ~= "\r\n" then
            return nil
        end
    end
end
local read_chunks = M.read_chunks

--- Reads a body of chunks.
---@param read fun(size: integer?): string
---@param most integer?  how large it may be, in bytes
---@param header table<string, string|string[]>  gets the headers that come after the body
---@param held string  what was read already
---@return string? body  nil: it is too large, or malformed
---@return table? header
function M.recvchunkedbody(read, most, header, held)
    local body = read_chunks(source_of(read, held), most or limit.body, header)
    if body then
        return body, header
    end
end

--- Whether a response with this code has no body.
local function is_bodiless(code)
    return code == 204 or code == 304 or code < 200
end

-- Everything up to the end of the connection.
local function read_to_end(source, most)
    local pieces, total = {}, 0
    for piece in source.some, source do
        total = total + #piece
        if total > most then
            error "Response body is too large"
        end
        append(pieces, piece)
    end
    return concat(pieces)
end

local function check_transfer(header)
    return transfer(header) or error "Unsupport transfer-encoding"
end

local function check_length(header)
    local length = length_of(header)
    if length == false then
        error "Invalid content-length"
    end
    return length
end

--- Reads a response's body.
---@param interface http.interface
---@param code integer
---@param held string  what was read already
---@param header table<string, string|string[]>
---@return string body
function M.response(interface, code, held, header)
    local source = source_of(interface.read, held)
    if check_transfer(header) == "chunked" then
        return read_chunks(source, limit.body, header) or error "Invalid response body"
    end
    local length = check_length(header)
    if length then
        if length > limit.body then
            error "Response body is too large"
        end
        return length > 0 and source:take(length) or ""
    end
    return is_bodiless(code) and "" or read_to_end(source, limit.body)
end

--------------------------------------------------------------------------------
-- Requests

--- A header line. What would end it is an error.
---@param name string
---@param value any
---@param between string  what stands between them
---@return string
function M.header_line(name, value, between)
    name, value = tostring(name), tostring(value)
    if find(name, "[%c:]") or find(value, "[\r\n]") then
        error(format("header %q cannot be sent", name), 0)
    end
    return name .. between .. value .. "\r\n"
end
local header_line = M.header_line

--- Sends a body of chunks.
---@param write fun(bytes: string)
---@param body fun(): string?  gives a piece; nil: there is no more
---@param head string  goes before them
function M.write_chunks(write, body, head)
    write(head)
    for piece in body do
        if piece ~= "" then
            write(format("%x\r\n", #piece) .. piece .. "\r\n")
        end
    end
    write "0\r\n\r\n"
end

-- A larger body is not copied behind its head. Bytes.
local SEPARATE <const> = 64 << 10

--- Sends a head and a body.
---@param write fun(bytes: string)
---@param head string
---@param body string
function M.write_both(write, head, body)
    if #body <= SEPARATE then
        write(head .. body)
    else
        write(head)
        write(body)
    end
end

local function request_head(method, host, url, header)
    local lines = { method .. " " .. url .. " HTTP/1.1\r\n" }
    if find(lines[1], "[\r\n]", 1) ~= #lines[1] - 1 then
        error(format("method %q or url %q cannot be sent", method, url), 0)
    end
    local given = {}
    for name, value in pairs(header or {}) do
        lines[#lines + 1] = header_line(name, value, ":")
        given[lower(name)] = value
    end
    if given.host == nil then
        lines[#lines + 1] = header_line(header and "Host" or "host", host, ":")
    end
    return lines, given
end

local function write_request(write, method, host, url, header, content)
    local lines, given = request_head(method, host, url, header)
    if type(content) == "function" then
        if given["transfer-encoding"] == nil then
            lines[#lines + 1] = "Transfer-Encoding:chunked\r\n"
        end
        lines[#lines + 1] = "\r\n"
        return M.write_chunks(write, content, concat(lines))
    end
    content = content or ""
    -- With an encoding the caller has encoded it.
    if given["content-length"] == nil and not (content ~= "" and given["transfer-encoding"] == "chunked") then
        lines[#lines + 1] = format("Content-length:%d\r\n", #content)
    end
    lines[#lines + 1] = "\r\n"
    M.write_both(write, concat(lines), content)
end

local function read_status(source, header)
    local lines = M.read_head(source)
    if not lines then
        error "Recv header failed"
    end
    local code = match(lines[1], "^HTTP/[%d%.]+%s+(%d%d%d)%f[%s\0]")
    if not code then
        error "Invalid HTTP status line"
    end
    return tonumber(code), lines
end

--- Sends a request and reads the response's head.
---@param interface http.interface
---@param method string
---@param host string  for the header of this name, unless `header` has it
---@param url string
---@param recvheader table?  gets the response's headers
---@param header table<string, any>?  the request's headers
---@param content (string|fun(): string?)?  the request's body; a function gives it piece by piece
---@return integer code
---@return string held  what was read beyond the head
---@return table header
function M.request(interface, method, host, url, recvheader, header, content)
    write_request(interface.write, method, host, url, header, content)
    local source = source_of(interface.read)
    for _ = 0, limit.interim do
        local code, lines = read_status(source)
        if code >= 200 or code == 101 then
            recvheader = parseheader(lines, 2, recvheader or {})
            if not recvheader then
                error "Invalid HTTP response header"
            end
            return code, source:rest(), recvheader
        end
    end
    error "Too many interim responses"
end

--- Makes a stream of a response's body, see `http.stream`.
---@param interface http.interface
---@param code integer
---@param held string  what was read already
---@param header table<string, string|string[]>
---@return http.stream
function M.response_stream(interface, code, held, header)
    local source = source_of(interface.read, held)
    local stream = require "http.stream"
    if check_transfer(header) == "chunked" then
        return stream.chunks(source, code, header, function()
            return chunk_size(source, limit.body)
        end, read_trailers)
    end
    local length = check_length(header) or is_bodiless(code) and 0 or nil
    return stream.plain(source, code, header, length)
end

return M

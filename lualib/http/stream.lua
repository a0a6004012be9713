--- A response's body, piece by piece: `for piece, stream in httpc.request_stream(...)`. The connection is closed at the
--- end, or by `close`.

---@class http.stream
---@field status integer
---@field header table<string, string|string[]>  with those that come after the body, when it has ended
---@field connected boolean?  true: there is more; nil: it has ended; false: it has been cut off
---@operator call: string?
local Stream = {}
Stream.__index = Stream

--- Closes the connection.
function Stream:close()
    local close = self._onclose
    self._onclose = nil
    if close then
        close(self)
    end
end

-- The body has ended, in order or not.
local function finish(self, connected)
    self.connected = connected
    self.next = Stream.close
end

local function fail(self, reason)
    finish(self, false)
    self:close()
    if reason then
        error(reason, 0)
    end
end

--- The next piece, which may be empty; nil: there is no more.
---@return string? piece
---@return http.stream self
function Stream:padding()
    local ok, piece = pcall(self.next, self)
    if not ok then
        fail(self, piece)
    end
    return piece, self
end

Stream.__call = Stream.padding
Stream.__close = Stream.close

local function make(source, code, header, next)
    return setmetatable({ status = code, header = header, connected = true, source = source, next = next }, Stream)
end

local M = {}

--- A body of so many bytes, or up to the end of the connection.
---@param source http.source
---@param code integer
---@param header table
---@param length integer?
---@return http.stream
function M.plain(source, code, header, length)
    return make(source, code, header, function(self)
        if length == 0 then
            finish(self)
            return ""
        end
        local piece = source:some()
        if not piece then
            finish(self, length and false)
            return self:close()
        end
        if length then
            piece = piece:sub(1, length)
            length = length - #piece
            if length == 0 then
                finish(self)
            end
        end
        return piece
    end)
end

--- A body of chunks.
---@param source http.source
---@param code integer
---@param header table
---@param chunk_size fun(): integer?  nil: there is none that can be taken
---@param read_trailers fun(source: http.source, header: table): table?
---@return http.stream
function M.chunks(source, code, header, chunk_size, read_trailers)
    return make(source, code, header, function(self)
        local size = chunk_size()
        if size == 0 and read_trailers(source, header) then
            finish(self)
            return ""
        end
        local piece = size and size > 0 and source:take(size)
        if not piece or source:take(2) ~= "\r\n" then
            return fail(self)
        end
        return piece
    end)
end

return M

--- The server's side of HTTP: reads requests and writes responses, over any pair of functions that read and write.

local internal = require "http.internal"

local format, lower = string.format, string.lower
local concat = table.concat
local limit = internal.limit
local header_line = internal.header_line

---@class http.httpd
local M = {}

-- Codes and their reasons (RFC 2616, 6.1.1).
local REASONS <const> = {}
for code, reason in ([[
    100 Continue; 101 Switching Protocols; 200 OK; 201 Created; 202 Accepted;
    203 Non-Authoritative Information; 204 No Content; 205 Reset Content; 206 Partial Content;
    300 Multiple Choices; 301 Moved Permanently; 302 Found; 303 See Other; 304 Not Modified; 305 Use Proxy;
    307 Temporary Redirect; 400 Bad Request; 401 Unauthorized; 402 Payment Required; 403 Forbidden;
    404 Not Found; 405 Method Not Allowed; 406 Not Acceptable; 407 Proxy Authentication Required;
    408 Request Time-out; 409 Conflict; 410 Gone; 411 Length Required; 412 Precondition Failed;
    413 Request Entity Too Large; 414 Request-URI Too Large; 415 Unsupported Media Type;
    416 Requested range not satisfiable; 417 Expectation Failed; 500 Internal Server Error;
    501 Not Implemented; 502 Bad Gateway; 503 Service Unavailable; 504 Gateway Time-out;
    505 HTTP Version not supported;
]]):gmatch "(%d+) ([^;]+);" do
    REASONS[tonumber(code)] = reason
end

--------------------------------------------------------------------------------
-- Requests

-- The body, or nil and the code of what is wrong.
local function read_body(source, header, most)
    local mode = internal.transfer(header)
    if not mode then
        return nil, 501
    end
    if mode == "chunked" then
        local body = internal.read_chunks(source, most, header)
        return body, 413
    end
    local length = internal.length(header)
    if length == nil then
        -- A source that reads ahead may have read a body without a length.
        return source:rest()
    elseif not length then
        return nil, 400
    elseif length > most then
        return nil, 413
    end
    return length > 0 and source:take(length) or ""
end

local function read_request(read, most)
    local source = internal.source(read)
    local lines = internal.read_head(source)
    if not lines then
        return 413
    end
    local first = lines[1]
    if #first > limit.line then
        return 414
    end
    local method, url, version = internal.parse_request(first)
    if version < 1.0 or version > 1.1 then
        return 505
    end
    local header = internal.parseheader(lines, 2, {})
    if not header then
        return 400
    end
    local body, wrong = read_body(source, header, most or limit.body)
    if not body then
        return wrong
    end
    return 200, url, method, header, body
end

--- Reads a request. What cannot be accepted gives the code to answer with, and nothing else.
---@param read fun(size: integer?): string  raises an error when the connection has ended
---@param most integer?  how large a body may be, in bytes
---@return integer? code  200: it is complete; nil: it could not be read, or is no request
---@return any url        without a code the error
---@return string? method
---@return table<string, string|string[]>? header  by names in lower case; lists where a name came more than once
---@return string? body
function M.read_request(read, most)
    local ok, code, url, method, header, body = pcall(read_request, read, most)
    if ok then
        return code, url, method, header, body
    end
    return nil, code
end

--------------------------------------------------------------------------------
-- Responses

--- code -> first line, for the codes that were used
local status_lines = {}

local function status_line(code)
    local line = status_lines[code]
    if not line then
        line = format("HTTP/1.1 %03d %s\r\n", code, REASONS[code] or "")
        if REASONS[code] then
            status_lines[code] = line
        end
    end
    return line
end

-- Whether there is a content-length among them.
local function add_headers(lines, header)
    local has_length = false
    for name, value in pairs(header) do
        if type(value) == "table" then
            for _, one in ipairs(value) do
                lines[#lines + 1] = header_line(name, one, ": ")
            end
        else
            lines[#lines + 1] = header_line(name, value, ": ")
        end
        has_length = has_length or lower(name) == "content-length"
    end
    return has_length
end

local function write_response(write, code, body, header)
    local lines = { status_line(code) }
    local has_length = header and add_headers(lines, header)
    local kind = type(body)
    if kind == "function" then
        lines[#lines + 1] = "transfer-encoding: chunked\r\n\r\n"
        return internal.write_chunks(write, body, concat(lines))
    end
    if kind == "string" then
        lines[#lines + 1] = has_length and "\r\n" or "content-length: " .. #body .. "\r\n\r\n"
    elseif body == nil then
        lines[#lines + 1] = "\r\n"
    else
        error(format("body: a string or a function is needed, not a %s", kind))
    end
    internal.write_both(write, concat(lines), body or "")
end

--- Writes a response.
---@param write fun(bytes: string)
---@param code integer
---@param body (string|fun(): string?)?  a function gives it piece by piece, nil at its end
---@param header table<string, any>?  a list of values is sent as so many headers
---@return boolean ok
---@return any reason  what `write` raised, or what is wrong with the arguments
function M.write_response(write, code, body, header)
    return pcall(write_response, write, code, body, header)
end

return M

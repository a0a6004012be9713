-- http.httpd, http.internal, http.stream and http.url: what a client or a server sends, in
-- pieces. The first byte of an input says who reads it, and how large the pieces are.

local httpd = require "http.httpd"
local internal = require "http.internal"
local url = require "http.url"

local socket_error = internal.socket_error
local limit = internal.limit
limit.line, limit.head, limit.headers = 40, 120, 5
limit.body, limit.chunk_line, limit.interim = 50, 12, 2

--- Reads from a string, at most so many bytes at a time unless it is told how many.
local function reader(bytes, most)
    local at = 1
    return function(count)
        local last = at + (count or most) - 1
        if at > #bytes or count and last > #bytes then
            error(socket_error)
        end
        local piece = bytes:sub(at, last)
        at = last + 1
        return piece
    end
end

--- An error has to be one that the parsers raise on purpose.
local function check(ok, reason)
    assert(ok or reason == socket_error or not reason:find "attempt to", reason)
    return ok
end

local function serve(bytes, most)
    local code, target, method, header, body = httpd.read_request(reader(bytes, most), limit.body)
    if not code then
        return check(code, target)
    end
    local again, same, _, _, whole = httpd.read_request(reader(bytes, #bytes), limit.body)
    assert(again == code and same == target)
    if code == 200 then
        assert(#body <= limit.body or body == whole:sub(1, #body))
        assert(method:find "^%a+$")
        if header["content-length"] or internal.transfer(header) == "chunked" then
            assert(whole == body)
        end
        local path, query = url.parse(target)
        assert(#path <= #target and type(url.parse_query(query)) == "table")
    end
end

local function ask(bytes, most)
    local interface = { read = reader(bytes, most), write = function() end }
    return interface, pcall(internal.request, interface, "GET", "host", "/")
end

local function request(bytes, most)
    local interface, ok, code, held, header = ask(bytes, most)
    if check(ok, code) then
        local done, body = pcall(internal.response, interface, code, held, header)
        assert(not check(done, body) or #body <= limit.body)
    end
end

local function stream(bytes, most)
    local interface, ok, code, held, header = ask(bytes, most)
    if not check(ok, code) then
        return
    end
    local made, pieces = pcall(internal.response_stream, interface, code, held, header)
    if not check(made, pieces) then
        return
    end
    -- There are no more pieces than bytes.
    for _ = 0, #bytes + 1 do
        local got, piece = pcall(pieces)
        if not check(got, piece) or not piece then
            assert(pieces.connected ~= true)
            return
        end
    end
    error "it does not end"
end

local function parts(bytes, most)
    local held = bytes:sub(1, most)
    local lines = {}
    local read = reader(bytes:sub(most + 1), most)
    if check(pcall(internal.recvheader, read, lines, held)) then
        internal.parseheader(lines, 1, {})
    end
    read = reader(bytes:sub(most + 1), most)
    local ok, body = pcall(internal.recvchunkedbody, read, limit.body, {}, held)
    assert(not check(ok, body) or not body or #body <= limit.body)
end

local READERS <const> = { [0] = serve, request, stream, parts }
local PIECES <const> = { [0] = 1, 3, 20, 1000 }

local function run(input)
    local first = input:byte() or 0
    READERS[first & 3](input:sub(2), PIECES[first >> 2 & 3])
end

return {
    parser = {
        "lualib/http/internal.lua:take_line",
        "lualib/http/internal.lua:take",
        "lualib/http/internal.lua:some",
        "lualib/http/internal.lua:append",
        "lualib/http/internal.lua:split",
        "lualib/http/internal.lua:read_head",
        "lualib/http/internal.lua:parse_request",
        "lualib/http/internal.lua:read_lines",
        "lualib/http/internal.lua:recvheader",
        "lualib/http/internal.lua:add",
        "lualib/http/internal.lua:continue",
        "lualib/http/internal.lua:parseheader",
        "lualib/http/internal.lua:transfer",
        "lualib/http/internal.lua:length",
        "lualib/http/internal.lua:chunk_size",
        "lualib/http/internal.lua:read_trailers",
        "lualib/http/internal.lua:read_chunks",
        "lualib/http/internal.lua:recvchunkedbody",
        "lualib/http/internal.lua:read_to_end",
        "lualib/http/internal.lua:check_transfer",
        "lualib/http/internal.lua:check_length",
        "lualib/http/internal.lua:response",
        "lualib/http/internal.lua:read_status",
        "lualib/http/internal.lua:response_stream",
        "lualib/http/stream.lua",
        "lualib/http/httpd.lua:read_body",
        "lualib/http/httpd.lua:read_request",
        "lualib/http/url.lua",
    },
    words = {
        "\r\n", "\r\n\r\n", "\n", ":", ": ", " ", "\t", ";", "0\r\n\r\n", "5\r\nhello\r\n", "1\r\nx\r\n", "a: b\r\n",
        "a:\r\na:\r\na:\r\n", "GET / HTTP/1.1\r\n", "POST /?a=b&a=c&a=%20+ HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 204\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.0", "HTTP/2.0", "content-length: 5\r\n",
        "content-length: 60\r\n", "content-length: x\r\n", "transfer-encoding: chunked\r\n",
        "Transfer-Encoding: Identity\r\n", "hello", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    },
    longest = 240,
    memory = 300000,
    memory_per_byte = 2048,
    run = run,
}

-- http.internal and http.httpd: any bytes as a request, or as a response. The first byte
-- says as which, and how many come at once.

local feed = require "feed"
local httpd = require "http.httpd"
local internal = require "http.internal"
local stream = require "http.stream"
local url = require "http.url"

-- So that few bytes reach them.
internal.limit.line = 64
internal.limit.head = 160
internal.limit.headers = 8
internal.limit.body = 400

local BODY <const> = 200

local function response(read)
    local source = internal.source(read)
    local lines = internal.read_head(source)
    local header = lines and internal.parseheader(lines, 2, {})
    if header then
        return internal.response({ read = read }, tonumber(lines[1]:sub(10, 12)) or 200, source:rest(), header)
    end
end

-- As a client reads it that has asked for a stream.
local function streamed(read)
    local source = internal.source(read)
    local lines = internal.read_head(source)
    local header = lines and internal.parseheader(lines, 2, {})
    if header then
        for piece in stream.plain(source, 200, header, internal.length(header) or nil) do
            assert(type(piece) == "string")
        end
    end
end

local function request(read)
    local code, target, method, header, body = httpd.read_request(read, BODY)
    if code == 200 then
        assert(method and header and #body <= BODY)
        local path, query = url.parse(target)
        assert(#path <= #target)
        url.parse_query(query)
    end
end

-- A response of a server, in one piece.
local function whole(read)
    local ok, content = pcall(response, read)
    assert(not ok or not content or #content <= internal.limit.body)
end

-- Lines, then chunks.
local function parts(read)
    local lines = {}
    local ok, rest = pcall(internal.recvheader, read, lines, "")
    assert(#lines <= internal.limit.headers + 1)
    if ok and rest then
        pcall(internal.recvchunkedbody, read, BODY, {}, rest)
    end
end

local KINDS <const> = {
    request,
    whole,
    function(read)
        pcall(streamed, read)
    end,
    parts,
}
local PIECES <const> = 40

local function run(input)
    local choice = input:byte() or 0
    local read = feed.reader(input:sub(2), choice % PIECES + 1, internal.socket_error)
    KINDS[choice // PIECES % #KINDS + 1](read)
end

return {
    parser = {
        "lualib/http/internal.lua:take_line",
        "lualib/http/internal.lua:take",
        "lualib/http/internal.lua:some",
        "lualib/http/internal.lua:append",
        "lualib/http/internal.lua:split",
        "lualib/http/internal.lua:read_head",
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
        "lualib/http/httpd.lua:read_body",
        "lualib/http/httpd.lua:read_request",
        "lualib/http/url.lua",
    },
    words = {
        "\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n", "transfer-encoding: chunked\r\n",
        "content-length: 5\r\n", "transfer-encoding: identity\r\n", ": ", "a: b\r\n", " c\r\n", "0\r\n\r\n", "5\r\nhello\r\n",
        "?", "=", "&", "%41", "+", "; x", "\t", "204",
    },
    longest = 300,
    memory = 65536,
    memory_per_byte = 512,
    run = run,
}

--- http.httpc against servers that are sockets and say what the case tells them to.

local skynet = require "skynet"
local socket = require "skynet.socket"
local httpc = require "http.httpc"
local httpd = require "http.httpd"
local helper = require "http.sockethelper"
local internal = require "http.internal"
local dns = require "skynet.dns"
local check = require "socket_check"

local equal, eventually, fails = check.equal, check.eventually, check.fails

--- What the next connection gets. `hold`: it is not closed afterwards. `slow`: byte by byte.
local answer
--- What the servers have read.
local asked = {}
local host
local connections = 0

local function serve(id)
    socket.start(id)
    connections = connections + 1
    local mine = answer
    local _, url, method, header, body = httpd.read_request(helper.readfunc(id))
    table.insert(asked, { url = url, method = method, header = header, body = body })
    local bytes = mine.bytes
    for at = 1, #bytes, mine.slow and 1 or math.max(#bytes, 1) do
        if not socket.write(id, mine.slow and bytes:sub(at, at) or bytes) then
            break
        end
        if at % 16 == 0 then
            skynet.sleep(0)
        end
    end
    if mine.hold then
        -- The client is the one to close.
        socket.block(id)
    end
    socket.close(id)
    connections = connections - 1
end

local function prepare(bytes, options)
    answer = options or {}
    answer.bytes = bytes
    asked = {}
end

local function all_closed()
    eventually("all connections are closed", function()
        return connections == 0
    end)
end

local LENGTH <const> = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello"
local CHUNKS <const> = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n1\r\n \r\n5;a=b\r\nworld\r\n"
    .. "0\r\nAfter: it\r\n\r\n"

local function get()
    for _, slow in ipairs { false, true } do
        prepare(LENGTH, { hold = true, slow = slow })
        local header = {}
        local code, body = httpc.get(host, "/a?b", header)
        equal(code, 200, "code")
        equal(body, "hello", "body")
        equal(header.x, "y", "header")
        equal(asked[1].method, "GET", "method")
        equal(asked[1].url, "/a?b", "url")
        equal(asked[1].header.host, host, "host")
        equal(asked[1].header["content-length"], "0", "length")
        prepare(CHUNKS, { hold = true, slow = slow })
        header = {}
        code, body = httpc.get("HTTP://" .. host, "/", header)
        equal(code, 200, "code")
        equal(body, "hello world", "body of chunks")
        equal(header.after, "it", "header after the body")
        prepare("HTTP/1.1 200\r\n\r\nall of it", { slow = slow })
        code, body = httpc.get(host, "/")
        equal(code, 200, "code without a reason")
        equal(body, "all of it", "body up to the end")
        prepare("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", { hold = true, slow = slow })
        equal(select(2, httpc.get(host, "/")), "", "an empty body")
    end
    prepare "HTTP/1.0 200 OK\r\n\r\n"
    equal(select(2, httpc.get(host, "/")), "", "nothing up to the end")
    prepare("HTTP/1.1 204 No Content\r\n\r\n", { hold = true })
    equal(select(2, httpc.get(host, "/")), "", "no body")
    prepare("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\na: b\r\n\r\n" .. LENGTH, { hold = true })
    local header = {}
    equal(select(2, httpc.get(host, "/", header)), "hello", "after interim responses")
    equal(header.a, nil, "header of an interim response")
    all_closed()
end

local function requests()
    prepare(LENGTH)
    httpc.post(host, "/post", { a = "b c&d", [1] = 2 })
    equal(asked[1].method, "POST", "method")
    equal(asked[1].header["content-type"], "application/x-www-form-urlencoded", "type")
    local fields = asked[1].body
    assert(fields == "a=b%20c%26d&1=2" or fields == "1=2&a=b%20c%26d", fields)

    prepare(LENGTH)
    local header = { HOST = "other", a = 1 }
    httpc.request("PUT", host, "/", nil, header, "content")
    equal(asked[1].header.host, "other", "host")
    equal(asked[1].header.a, "1", "a number")
    equal(asked[1].body, "content", "content")
    equal(asked[1].header["content-length"], "7", "length")
    equal(header.Host, nil, "the caller's table")

    prepare(LENGTH)
    local pieces = { "pie", "", "ces" }
    httpc.request("PUT", host, "/", nil, nil, function()
        return table.remove(pieces, 1)
    end)
    equal(asked[1].body, "pieces", "content in pieces")
    equal(asked[1].header["content-length"], nil, "no length")

    prepare(LENGTH)
    httpc.request("PUT", host, "/", nil, { ["transfer-encoding"] = "chunked" }, "2\r\nab\r\n0\r\n\r\n")
    equal(asked[1].body, "ab", "content that is chunked already")

    prepare("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", { hold = true })
    header = {}
    equal(httpc.head(host, "/", header), 200, "head")
    equal(header["content-length"], "5", "head")
    equal(asked[1].method, "HEAD", "method")

    prepare ""
    fails("cannot be sent", httpc.get, host, "/\r\nx: y")
    fails("cannot be sent", httpc.get, host, "/", nil, { a = "b\r\nc: d" })
    all_closed()
end

local function bad_responses()
    for bytes, text in pairs {
        [""] = "read failed",
        ["HTTP/1.1 200"] = "read failed",
        ["nonsense\r\n\r\n"] = "Invalid HTTP status line",
        ["HTTP/1.1 20 OK\r\n\r\n"] = "Invalid HTTP status line",
        ["HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"] = "Invalid HTTP response header",
        ["HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"] = "Invalid content-length",
        ["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"] = "read failed",
        ["HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nhello"] = "Response body is too large",
        ["HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"] = "Unsupport transfer-encoding",
        ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"] = "Invalid response body",
        ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n"] = "Invalid response body",
        ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"] = "read failed",
        ["HTTP/1.1 200 OK\r\nx: " .. ("x"):rep(9000) .. "\r\n\r\n"] = "Recv header failed",
        [("HTTP/1.1 100 Continue\r\n\r\n"):rep(100)] = "Too many interim responses",
    } do
        prepare(bytes)
        fails(text, httpc.get, host, "/")
    end
    local body = internal.limit.body
    internal.limit.body = 100
    prepare("HTTP/1.1 200 OK\r\n\r\n" .. ("x"):rep(101))
    fails("Response body is too large", httpc.get, host, "/")
    internal.limit.body = body
    all_closed()
end

local function collect(...)
    local pieces = {}
    local stream = httpc.request_stream(...)
    for piece, same in stream do
        equal(same, stream, "stream")
        equal(stream.status, 200, "status")
        table.insert(pieces, piece)
    end
    return table.concat(pieces), stream, pieces
end

local function streams()
    for _, slow in ipairs { false, true } do
        prepare(LENGTH, { hold = true, slow = slow })
        local body, stream = collect("GET", host, "/")
        equal(body, "hello", "body")
        equal(stream.header.x, "y", "header")
        equal(stream.connected, nil, "connected")
        prepare(CHUNKS, { hold = true, slow = slow })
        local pieces
        body, stream, pieces = collect("GET", host, "/")
        equal(table.concat(pieces, "|"), "hello| |world|", "pieces")
        equal(stream.header.after, "it", "header after the body")
        prepare("HTTP/1.1 200 OK\r\n\r\nall of it", { slow = slow })
        equal(collect("GET", host, "/"), "all of it", "body up to the end")
        prepare("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", { hold = true, slow = slow })
        equal(collect("GET", host, "/"), "", "an empty body")
    end
    prepare("HTTP/1.1 204 No Content\r\n\r\n", { hold = true })
    local stream = httpc.request_stream("GET", host, "/")
    equal(stream(), "", "no body")
    equal(stream(), nil, "no body")
    all_closed()

    prepare("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", { hold = true })
    do
        local cut <close> = httpc.request_stream("GET", host, "/")
        equal(cut(), "hello", "what there is")
        equal(cut.connected, true, "connected")
    end
    all_closed()

    for _, bytes in ipairs {
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloxx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nx\r\n\r\n",
    } do
        prepare(bytes)
        local _, broken = collect("GET", host, "/")
        equal(broken.connected, false, "connected")
    end
    prepare "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
    local torn = httpc.request_stream("GET", host, "/")
    local ok, reason = pcall(torn)
    equal(ok, false, "a chunk that is cut off")
    equal(reason, helper.socket_error, "a chunk that is cut off")
    equal(torn.connected, false, "connected")
    equal(torn(), nil, "after the end")
    all_closed()
end

local function timeouts()
    httpc.timeout = 10
    prepare("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", { hold = true })
    local before = skynet.now()
    fails("read failed", httpc.get, host, "/")
    assert(skynet.now() - before >= 10, "too early")
    prepare("", { hold = true })
    fails("read failed", httpc.request_stream, "GET", host, "/")
    -- A stream takes as long as it takes.
    prepare("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", { hold = true })
    local stream = httpc.request_stream("GET", host, "/")
    skynet.sleep(15)
    equal(stream(), "hello", "after the timeout")
    stream:close()
    all_closed()

    -- Somebody who does not accept; the queue is soon full.
    local deaf, _, port = socket.listen("127.0.0.1", 0, 1)
    local full
    local connected = {}
    for _ = 1, 8 do
        local ok, result = pcall(helper.connect, "127.0.0.1", port, 10)
        if ok then
            table.insert(connected, result)
        else
            full = tostring(result)
        end
    end
    assert(full and full:find "connect failed host = 127.0.0.1" and full:find "is_time_out = true", full)
    -- Connections that come too late are closed.
    local ended = 0
    socket.start(deaf, function(new)
        skynet.fork(function()
            socket.start(new)
            equal(socket.read(new), false, "read")
            socket.close(new)
            ended = ended + 1
        end)
    end)
    for _, id in ipairs(connected) do
        helper.close(id)
    end
    eventually("the late ones end, too", function()
        return ended == 8
    end)
    socket.close(deaf)
    httpc.timeout = nil
end

local function addresses()
    prepare(LENGTH)
    local port = host:match "%d+$"
    equal(httpc.get("http://localhost:" .. port, "/"), 200, "a name")
    equal(asked[1].header.host, "localhost:" .. port, "host")
    fails("Invalid protocol: ftp", httpc.get, "ftp://" .. host, "/")
    fails("Invalid host: bare IPv6 address '::1', use '[::1]' instead", httpc.get, "::1", "/")
    fails("connect", httpc.get, ("x"):rep(300), "/")
    httpc.timeout = 100
    fails("connect", httpc.get, ("x"):rep(300), "/")
    httpc.timeout = nil
    fails("connect failed host = ::1 port = 1 ", httpc.get, "[::1]:1", "/")
    fails("connect failed host = 127.0.0.1 port = 1 ", httpc.get, "127.0.0.1:1", "/")
    -- Names are looked up in the hosts file, then at the server that is given.
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write("127.0.0.1 nowhere.test\n")
    file:close()
    dns.DEFAULT_HOSTS = name
    httpc.dns("127.0.0.1", 1)
    equal(httpc.get("nowhere.test:" .. port, "/"), 200, "a name of the hosts file")
    os.remove(name)
    all_closed()
end

check.main {
    {
        "listen",
        function()
            local id, _, port = socket.listen("127.0.0.1", 0)
            host = "127.0.0.1:" .. port
            socket.start(id, function(new)
                skynet.fork(serve, new)
            end)
        end,
    },
    { "get", get },
    { "requests", requests },
    { "bad responses", bad_responses },
    { "streams", streams },
    { "timeouts", timeouts },
    { "addresses", addresses },
}

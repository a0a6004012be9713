--- http.httpd, http.url and http.internal, against clients that are sockets and nothing more.

local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local helper = require "http.sockethelper"
local internal = require "http.internal"
local url = require "http.url"
local check = require "socket_check"

local equal, eventually, fails = check.equal, check.eventually, check.fails

local listener

--- What a server that reads until something is wrong has read.
local function served(bytes, options)
    options = options or {}
    local client, server = check.pair(listener)
    local requests, done = {}, false
    skynet.fork(function()
        local read = helper.readfunc(server)
        repeat
            local code, path, method, header, body = httpd.read_request(read, options.most)
            table.insert(requests, { code = code, url = path, method = method, header = header, body = body })
        until code ~= 200
        done = true
        socket.close(server)
    end)
    if options.slow then
        for i = 1, #bytes do
            socket.write(client, bytes:sub(i, i))
            if i % 16 == 0 then
                skynet.sleep(0)
            end
        end
    else
        socket.write(client, bytes)
    end
    if options.open then
        -- The server is to give up although more may come.
        eventually("the server gives up", function()
            return done
        end)
        socket.close(client)
    else
        socket.close(client)
        eventually("the server sees the end", function()
            return done
        end)
    end
    return requests
end

local GET <const> = "GET /path?a=1 HTTP/1.1\r\nHost: here\r\nX-Twice: 1\r\nx-twice: 2\r\nFolded: a\r\n\tb\r\n\r\n"
local POST <const> = "POST /post HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
local CHUNKED <const> = "PUT /chunks HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    .. "5\r\nhello\r\n6;name=value\r\n world\r\n0\r\nAfter: it\r\n\r\n"

local function check_three(requests)
    equal(#requests, 4, "requests")
    local get, post, chunked, last = table.unpack(requests)
    equal(get.code, 200, "code")
    equal(get.method, "GET", "method")
    equal(get.url, "/path?a=1", "url")
    equal(get.header.host, "here", "host")
    equal(table.concat(get.header["x-twice"], ","), "1,2", "a header that comes twice")
    equal(get.header.folded, "ab", "a header on two lines")
    equal(get.body, "", "no body")
    equal(post.method, "POST", "method")
    equal(post.body, "hello", "body")
    equal(chunked.body, "hello world", "body of chunks")
    equal(chunked.header.after, "it", "header after the body")
    equal(last.code, nil, "the end")
    equal(last.url, helper.socket_error, "the end")
end

local function requests_in_one_piece()
    check_three(served(GET .. POST .. CHUNKED))
end

local function requests_byte_by_byte()
    check_three(served(GET .. POST .. CHUNKED, { slow = true }))
end

-- Every place where bytes can be divided.
local function requests_in_two_pieces()
    local bytes = POST .. CHUNKED
    for at = 1, #bytes - 1 do
        local pieces = { bytes:sub(1, at), bytes:sub(at + 1) }
        local function read(size)
            local piece = table.remove(pieces, 1) or error(helper.socket_error)
            if size and size < #piece then
                table.insert(pieces, 1, piece:sub(size + 1))
                return piece:sub(1, size)
            elseif size and size > #piece then
                return piece .. read(size - #piece)
            end
            return piece
        end
        local code, path, _, _, body = httpd.read_request(read)
        equal(code, 200, "code, divided at " .. at)
        equal(path, "/post", "url")
        equal(body, "hello", "body")
    end
end

local function refused(bytes, code, options)
    options = options or {}
    options.open = true
    local requests = served(bytes, options)
    equal(requests[#requests].code, code, ("%q"):format(bytes:sub(1, 60)))
    return requests[#requests]
end

local function bad_requests()
    for _, line in ipairs {
        "nonsense", "GET /", "GET  HTTP/1.1", "GET / HTTP/", "GET / HTTP/1.1 ", "G\0T / HTTP/1.1", "", " GET / HTTP/1.1",
    } do
        local request = refused(line .. "\r\n\r\n", nil)
        assert(tostring(request.url):find "assertion failed!", tostring(request.url))
    end
    refused("GET / HTTP/0.9\r\n\r\n", 505)
    refused("GET / HTTP/2.0\r\n\r\n", 505)
    for _, line in ipairs { "no colon", ": no name", "two words: x", "\tfolded: x", "bare: x\ny: z" } do
        refused("GET / HTTP/1.1\r\n" .. line .. "\r\n\r\n", 400)
    end
    for _, length in ipairs { "-1", "0x10", "1e3", "5, 5", "", "9999999999999999999999" } do
        refused("POST / HTTP/1.1\r\ncontent-length: " .. length .. "\r\n\r\n", 400)
    end
    refused("POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400)
    refused("POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", 501)
    refused("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n", 501)
    for _, chunk in ipairs { "-5\r\n", "\r\n", "x\r\n", "5 5\r\n", ("0"):rep(16) .. "1\r\n", "3\r\nabcde" } do
        refused("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" .. chunk, 413)
    end
end

local function limits()
    local limit = internal.limit
    refused(("x"):rep(limit.head + 4), 413)
    refused("GET / HTTP/1.1\r\nname: " .. ("x"):rep(limit.head) .. "\r\n\r\n", 413)
    refused("GET / HTTP/1.1\r\n" .. ("a:\r\n"):rep(limit.headers + 1) .. "\r\n", 413)
    equal(served("GET / HTTP/1.1\r\n" .. ("a:\r\n"):rep(limit.headers) .. "\r\n")[1].code, 200, "so many headers")
    refused("POST / HTTP/1.1\r\ncontent-length: 11\r\n\r\n", 413, { most = 10 })
    refused("POST / HTTP/1.1\r\ncontent-length: " .. limit.body + 1 .. "\r\n\r\n", 413)
    local chunked = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    refused(chunked .. "6\r\nabcdef\r\n5\r\n", 413, { most = 10 })
    refused(chunked .. "fffffffffff\r\n", 413)
    refused(chunked .. "1;" .. ("x"):rep(limit.chunk_line), 413)
    refused(chunked .. "0\r\n" .. ("a: b\r\n"):rep(limit.head), 413)
    local exact = served("POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\n0123456789", { most = 10 })
    equal(exact[1].body, "0123456789", "a body as large as it may be")

    local line, headers = limit.line, limit.headers
    limit.line, limit.headers = 20, 1
    refused("GET /12345678901 HTTP/1.1\r\n\r\n", 414)
    refused("GET / HTTP/1.1\r\na: b\r\nc: d\r\n\r\n", 413)
    limit.line, limit.headers = line, headers
end

-- What is not known to be good is not kept.
local function endless_senders()
    local before = collectgarbage "count"
    for _, bytes in ipairs { "GET /", "GET / HTTP/1.1\r\nname: " } do
        local client, server = check.pair(listener)
        local code
        skynet.fork(function()
            code = httpd.read_request(helper.readfunc(server))
            socket.close(server)
        end)
        socket.write(client, bytes)
        eventually("the server gives up", function()
            socket.write(client, ("x"):rep(4096))
            return code
        end)
        equal(code, 413, "code")
        socket.close(client)
    end
    collectgarbage()
    assert(collectgarbage "count" < before + 1024, "memory grows")
end

local function tiny_chunks()
    local bytes = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" .. ("1\r\nx\r\n"):rep(20000) .. "0\r\n\r\n"
    equal(served(bytes)[1].body, ("x"):rep(20000), "body")
    local pieces = {}
    for i = 1, 20000 do
        internal.append(pieces, tostring(i % 10))
        assert(#pieces < 20, #pieces)
    end
    equal(#table.concat(pieces), 20000, "size")
end

-- Without a length the rest of what was read belongs to the body, where it cannot be left to the next request.
local function plain_readers()
    local given
    local function read()
        if given then
            error(helper.socket_error)
        end
        given = true
        return "POST / HTTP/1.1\r\n\r\nrest"
    end
    local code, _, _, _, body = httpd.read_request(read)
    equal(code, 200, "code")
    equal(body, "rest", "body")
    local _, reason = httpd.read_request(read)
    equal(reason, helper.socket_error, "the error is what read raises")
end

local function written(...)
    local pieces = {}
    local ok, reason = httpd.write_response(function(bytes)
        table.insert(pieces, bytes)
    end, ...)
    return table.concat(pieces), ok, reason
end

local function responses()
    equal(written(200, "hello"), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "a body")
    equal(written(404), "HTTP/1.1 404 Not Found\r\n\r\n", "no body")
    equal(written(299, ""), "HTTP/1.1 299 \r\ncontent-length: 0\r\n\r\n", "another code")
    equal(written(200, "x", { a = 1 }), "HTTP/1.1 200 OK\r\na: 1\r\ncontent-length: 1\r\n\r\nx", "a header")
    equal(written(200, "x", { a = { 1, 2 } }), "HTTP/1.1 200 OK\r\na: 1\r\na: 2\r\ncontent-length: 1\r\n\r\nx", "a list")
    equal(written(200, nil, { ["Content-Length"] = 7 }), "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "a length")
    local pieces = { "abc", "", ("d"):rep(16) }
    equal(written(200, function()
        return table.remove(pieces, 1)
    end), "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n" .. ("d"):rep(16) .. "\r\n0\r\n\r\n",
        "pieces")
    local large = ("x"):rep(1 << 20)
    equal(written(200, large), "HTTP/1.1 200 OK\r\ncontent-length: 1048576\r\n\r\n" .. large, "a large body")
    for _, bad in ipairs { { a = "1\r\nb: 2" }, { ["a\r\nb"] = 1 }, { ["a:"] = 1 } } do
        local bytes, ok, reason = written(200, "x", bad)
        equal(ok, false, "a header that is two")
        equal(bytes, "", "nothing is sent")
        assert(reason:find "cannot be sent", reason)
    end
    local _, ok, reason = written(200, 5)
    equal(ok, false, "a body of another type")
    assert(reason:find "body: a string or a function is needed", reason)
    local sent, thrown = httpd.write_response(function()
        error(helper.socket_error "why")
    end, 200, "x")
    equal(sent, false, "write fails")
    equal(thrown, helper.socket_error, "write fails")
    equal(tostring(thrown), "[Socket Error] : why", "text")
    equal(tostring(thrown), "[Socket Error]", "text, again")
end

local function urls()
    local function parsed(text)
        local path, query = url.parse(text)
        return path .. "|" .. query
    end
    equal(parsed "/a%20b+c?d=e+f?g", "/a b c|d=e+f?g", "url")
    equal(parsed "/", "/|", "url without a query")
    equal(parsed "/%zz%4", "/%zz%4|", "no escapes")
    local query = url.parse_query "k1=1&k2=&=3&k4=a%20space&k5=b+c&k5=d&k5=%26%3d&rest"
    equal(query.k1, "1", "a value")
    equal(query.k2, "", "an empty value")
    equal(query[""], "3", "an empty name")
    equal(query.k4, "a space", "an escape")
    equal(table.concat(query.k5, ","), "b c,d,&=", "a list")
    equal(next(url.parse_query ""), nil, "an empty query")
    equal(next(url.parse_query(("x"):rep(1 << 20))), nil, "no query")
end

local function heads_in_parts()
    local lines = {}
    local feed = { "b\r\n\r", "\nrest" }
    local rest = internal.recvheader(function()
        return table.remove(feed, 1)
    end, lines, "first\r\na: ")
    equal(table.concat(lines, "|"), "first|a: b", "lines")
    equal(rest, "rest", "rest")
    equal(internal.recvheader(error, {}, "\r\nrest"), "rest", "no lines")
    local body, header = internal.recvchunkedbody(error, 5, {}, "5\r\nhello\r\n0\r\na: b\r\n\r\n")
    equal(body, "hello", "body")
    equal(header.a, "b", "header")
    equal(internal.recvchunkedbody(error, 4, {}, "5\r\nhello\r\n0\r\n\r\n"), nil, "too large")
end

local function bytes_before_a_socket()
    local client, server = check.pair(listener)
    socket.write(client, "defgh")
    local read = helper.readfunc(server, "abc")
    equal(read(1), "a", "first")
    equal(read(4), "bcde", "both")
    equal(read(), "fgh", "rest")
    socket.close(client)
    fails("[Socket Error] : read failed fd = " .. server, read, 1)
    socket.close(server)
    local write = helper.writefunc(server)
    eventually("nothing can be sent", function()
        return not pcall(write, "x")
    end)
    fails("[Socket Error] : write failed fd = " .. server, write, "x")
end

local function long_lines()
    local client, server = check.pair(listener)
    socket.write(client, "12345\n1234\n123456")
    equal(socket.readline(server, "\n", 5), "12345", "a line as long as it may be")
    equal(socket.readline(server, "\n", 3), nil, "a line that is too long")
    equal(socket.readline(server, "\n", 5), nil, "a line without an end")
    socket.close(client)
    equal(socket.readline(server, "\n", 50), false, "no line")
    socket.close(server)
end

check.main {
    {
        "listen",
        function()
            listener = check.listener()
        end,
    },
    { "requests in one piece", requests_in_one_piece },
    { "requests byte by byte", requests_byte_by_byte },
    { "requests in two pieces", requests_in_two_pieces },
    { "bad requests", bad_requests },
    { "limits", limits },
    { "endless senders", endless_senders },
    { "tiny chunks", tiny_chunks },
    { "plain readers", plain_readers },
    { "responses", responses },
    { "urls", urls },
    { "heads in parts", heads_in_parts },
    { "bytes before a socket", bytes_before_a_socket },
    { "long lines", long_lines },
}

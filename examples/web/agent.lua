--- Answers requests on the connections that it is given, and speaks WebSocket with those who ask for /socket.

local skynet = require "skynet"
local socket = require "skynet.socket"
local httpd = require "http.httpd"
local helper = require "http.sockethelper"
local url = require "http.url"
local websocket = require "http.websocket"

--- A request's body may be as large as this. Bytes.
local MAX_BODY <const> = 8192

local page

--- The WebSocket: everybody hears what they have said.
local talk = {}

function talk.handshake(id)
    websocket.write(id, "welcome, " .. websocket.addrinfo(id))
end

function talk.message(id, content, kind)
    websocket.write(id, kind == "text" and "you said: " .. content or content, kind)
end

--- path -> what to answer: code, content, its type
local answers = {}

answers["/"] = function()
    return 200, page, "text/html; charset=utf-8"
end

answers["/hello"] = function(query)
    local name = query.name or "world"
    return 200, "hello, " .. (type(name) == "table" and table.concat(name, " and ") or name) .. "\n"
end

local function answer(method, path, query)
    local found = answers[path]
    if not found then
        return 404, "there is no " .. path .. "\n"
    end
    if method ~= "GET" then
        return 405, method .. " is not for this\n"
    end
    return found(query)
end

local function respond(write, code, content, kind, last)
    return httpd.write_response(write, code, content, {
        ["content-type"] = kind or "text/plain; charset=utf-8",
        connection = last and "close" or "keep-alive",
    })
end

-- Whether the client wants nothing more.
local function is_last(header)
    local connection = header.connection
    return type(connection) == "string" and connection:lower() == "close"
end

-- Answers requests one after another. True: the connection has become a WebSocket, and has been closed.
local function serve(id, from)
    local read, write = helper.readfunc(id), helper.writefunc(id)
    while true do
        local code, target, method, header = httpd.read_request(read, MAX_BODY)
        if code ~= 200 then
            if code then
                respond(write, code, "", nil, true)
            elseif target ~= helper.socket_error then
                respond(write, 400, "", nil, true)
            end
            return false
        end
        local path, query = url.parse(target)
        if path == "/socket" then
            local upgrade = { header = header, method = method, url = target }
            local ok, reason = websocket.accept(id, talk, "ws", from, { upgrade = upgrade })
            if not ok then
                skynet.error(from, reason)
            end
            return true
        end
        local last = is_last(header)
        local status, content, kind = answer(method, path, url.parse_query(query))
        if not respond(write, status, content, kind, last) or last then
            return false
        end
    end
end

skynet.start(function()
    local file = assert(io.open(skynet.getenv "web_page", "rb"))
    page = file:read "a"
    file:close()
    skynet.dispatch("lua", function(_, _, id, from)
        if socket.start(id) and not serve(id, from) then
            socket.close(id)
        end
    end)
end)

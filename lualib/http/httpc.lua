--- The client's side of HTTP and HTTPS. Every request has a connection of its own.

local skynet = require "skynet"
local dns = require "skynet.dns"
local internal = require "http.internal"
local helper = require "http.sockethelper"

local format = string.format

---@class http.httpc
---@field timeout integer?  how long connecting may take, and the rest of a request after it; in hundredths of a second
local M = {}

local PORTS <const> = { http = 80, https = 443 }

local resolves = false

--- Has names looked up by `skynet.dns`, not by the system.
---@param server string?  the name server
---@param port integer?
function M.dns(server, port)
    resolves = true
    dns.server(server, port)
end

--------------------------------------------------------------------------------
-- Addresses

local function is_ipv4(host)
    return host:find "^%d+%.%d+%.%d+%.%d+$" ~= nil
end

-- Host, port if there is one, and whether the host is a name.
local function split_host(text)
    local _, colons = text:gsub(":", "")
    if colons > 1 then
        local host, port = text:match "^%[([^%]]*)%]:?(%d*)$"
        if not host then
            error(format("Invalid host: bare IPv6 address '%s', use '[%s]' instead", text, text))
        end
        return host, tonumber(port), false
    end
    local host, port = text:match "^(.-):(%d+)$"
    host = host or text
    return host, tonumber(port), not is_ipv4(host)
end

---@class http.httpc.address
---@field protocol string
---@field host string
---@field port integer
---@field name string?  the host, if it is a name
---@field header string  what to call the host in the request

---@return http.httpc.address
local function parse_address(text)
    local protocol, rest = text:match "^(%a+)://(.*)"
    protocol = protocol and protocol:lower() or "http"
    rest = rest or text
    if not PORTS[protocol] then
        error("Invalid protocol: " .. protocol)
    end
    local host, port, named = split_host(rest)
    return {
        protocol = protocol,
        host = host,
        port = port or PORTS[protocol],
        name = named and host or nil,
        header = rest,
    }
end

--------------------------------------------------------------------------------
-- Connections

-- The context of all HTTPS connections.
local tls_context

---@class http.httpc.connection: http.interface
---@field id integer
---@field address http.httpc.address
---@field ended boolean?  the timeout does not concern it any more
---@field end_tls function?
---@field close fun(self: http.httpc.connection)?  of a connection that the caller closes

local function close(connection)
    connection.ended = true
    helper.close(connection.id)
    local end_tls = connection.end_tls
    if end_tls then
        connection.end_tls = nil
        end_tls()
    end
end

-- Closes the connection before it raises the error.
local function settle(connection, ok, ...)
    if ok then
        return ...
    end
    close(connection)
    error((...), 0)
end

local function begin_tls(connection)
    local tls = require "http.tlshelper"
    local id = connection.id
    tls_context = tls_context or tls.newctx()
    -- An address counts as well where servers are verified.
    local session = tls.newtls("client", tls_context, connection.address.host)
    connection.end_tls = tls.closefunc(session)
    connection.read = tls.readfunc(id, session)
    connection.write = tls.writefunc(id, session)
    tls.init_requestfunc(id, session)()
end

local function resolve(host)
    local address, reason = dns.resolve(host)
    if not address then
        error(format("%s dns resolve failed msg:%s", host, reason))
    end
    return address
end

---@return http.httpc.connection
local function connect(text, timeout)
    local address = parse_address(text)
    timeout = timeout or M.timeout
    local host = resolves and address.name and resolve(address.name) or address.host
    local id = helper.connect(host, address.port, timeout)
    local connection = {
        id = id,
        address = address,
        read = helper.readfunc(id),
        write = helper.writefunc(id),
    }
    if timeout then
        skynet.timeout(timeout, function()
            if not connection.ended then
                -- Whoever reads gets an error, and closes it.
                helper.shutdown(id)
            end
        end)
    end
    if address.protocol == "https" then
        settle(connection, pcall(begin_tls, connection))
    end
    return connection
end

--------------------------------------------------------------------------------
-- Requests

local function ask(connection, method, url, recvheader, header, content)
    return settle(connection, pcall(internal.request, connection, method, connection.address.header, url, recvheader,
        header, content))
end

--- Sends a request and waits for the response. An error if there is none.
---@param method string
---@param host string  `"host"`, `"host:port"`, with `"http://"` or `"https://"` before it
---@param url string   the path and the query
---@param recvheader table?  gets the response's headers, by names in lower case
---@param header table<string, any>?  the request's headers
---@param content (string|fun(): string?)?  the request's body; a function gives it piece by piece
---@param timeout integer?  for this request, instead of the module's
---@return integer code
---@return string body
function M.request(method, host, url, recvheader, header, content, timeout)
    local connection = connect(host, timeout)
    local code, held, received = ask(connection, method, url, recvheader, header, content)
    local body = ""
    if method ~= "HEAD" then
        body = settle(connection, pcall(internal.response, connection, code, held, received))
    end
    close(connection)
    return code, body
end

--- Asks for the head of a response.
---@param host string
---@param url string
---@param recvheader table?
---@param header table?
---@param content string?
---@return integer code
function M.head(host, url, recvheader, header, content)
    return (M.request("HEAD", host, url, recvheader, header, content))
end

--- Sends a request and gives the response's body as it comes, for `for piece, stream in ...`.
---@param method string
---@param host string
---@param url string
---@param recvheader table?
---@param header table?
---@param content (string|fun(): string?)?
---@param timeout integer?  as for `request`; the body may take longer
---@return http.stream stream  closes the connection at its end
function M.request_stream(method, host, url, recvheader, header, content, timeout)
    local connection = connect(host, timeout)
    local code, held, received = ask(connection, method, url, recvheader, header, content)
    local stream = settle(connection, pcall(internal.response_stream, connection, code, held, received))
    -- The body may take as long as it takes.
    connection.ended = true
    stream._onclose = function()
        close(connection)
    end
    return stream
end

--- Connects to a server, for requests that the caller writes.
---@param host string  as for `request`
---@param timeout integer?  for connecting, instead of the module's
---@return http.httpc.connection connection  to be closed by `connection:close()`
function M.connection(host, timeout)
    local connection = connect(host, timeout)
    connection.ended = true
    connection.close = close
    return connection
end

--- Gets a resource.
---@param host string
---@param url string
---@param recvheader table?
---@param header table?
---@param content string?
---@return integer code
---@return string body
function M.get(host, url, recvheader, header, content)
    return M.request("GET", host, url, recvheader, header, content)
end

local function escape(value)
    return (tostring(value):gsub("[^%w_]", function(character)
        return format("%%%02X", character:byte())
    end))
end

--- Posts a form.
---@param host string
---@param url string
---@param form table<string, string|number>
---@param recvheader table?
---@return integer code
---@return string body
function M.post(host, url, form, recvheader)
    local fields = {}
    for name, value in pairs(form) do
        fields[#fields + 1] = escape(name) .. "=" .. escape(value)
    end
    local header = { ["content-type"] = "application/x-www-form-urlencoded" }
    return M.request("POST", host, url, recvheader, header, table.concat(fields, "&"))
end

return M

--- A client of etcd (3.4 and later), through the JSON gateway of its v3 API:
---
---   * https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/ says how requests are sent: keys and values are base64, and
---     64-bit numbers are strings. What is zero or empty is left out of answers.
---   * https://etcd.io/docs/v3.5/learning/api/ and .../dev-guide/api_reference_v3/ say what is in them.
---
--- A client keeps no connection: every request has its own, and so has every watch. It sends to one of its endpoints,
--- and goes on to the next one when that does not answer, or cannot serve. All functions raise an error with a text that
--- begins with `etcd ` and the endpoint, if none of them does, or etcd refuses the request.

local crypt = require "skynet.crypt"
local json = require "skynet.json"
local httpc = require "http.httpc"
local internal = require "http.internal"

local format, find, sub = string.format, string.find, string.sub
local encode64, decode64 = crypt.base64encode, crypt.base64decode
local append = internal.append

local etcd = {}

--- How long a request may take at one endpoint unless the client says otherwise, in hundredths of a second.
local TIMEOUT <const> = 300

--- The code of errors about a token that is not valid (any more); gRPC calls it UNAUTHENTICATED.
local UNAUTHENTICATED <const> = 16

--- What follows a request whose answer nobody waits for. etcd cancels a request when it sees the connection's end, for
--- which it looks behind what it has read of it; its HTTP server reads 4 KiB at a time, so this is always in between.
local FILLER <const> = ("\r\n"):rep(4096)

---@class skynet.db.etcd.conf
---@field endpoints string|string[]  such as `http://10.0.0.1:2379`; in a string, commas stand between them
---@field user string?
---@field password string?
---@field timeout integer?  how long a request may take at one endpoint, in hundredths of a second; 300 by default

---@class skynet.db.etcd.client
---@field endpoints string[]
---@field current integer  the endpoint that requests go to first
---@field timeout integer
---@field user string?
---@field password string?
---@field token string?  what stands for user and password
local client = {}
client.__index = client

---@class skynet.db.etcd.pair
---@field key string
---@field value string
---@field revision integer  of its last change
---@field lease string?     the lease that it ends with

--- Makes a client. Nothing is sent yet.
---@param conf skynet.db.etcd.conf
---@return skynet.db.etcd.client
function etcd.client(conf)
    local given = conf.endpoints
    local endpoints = {}
    if type(given) == "string" then
        given = { given }
    end
    for _, text in ipairs(given) do
        for endpoint in text:gmatch "[^%s,]+" do
            if not (endpoint:find "^http://[^/]" or endpoint:find "^https://[^/]") then
                error(format("etcd: the endpoint %q is not http://HOST:PORT or https://HOST:PORT", endpoint), 2)
            end
            table.insert(endpoints, (endpoint:gsub("/$", "")))
        end
    end
    if not endpoints[1] then
        error("etcd: there is no endpoint", 2)
    end
    return setmetatable({
        endpoints = endpoints,
        current = 1,
        timeout = conf.timeout or TIMEOUT,
        user = conf.user,
        password = conf.password,
        token = nil,
    }, client)
end

--- The end of the range of all keys that begin with a prefix.
---@param prefix string
---@return string range_end
function etcd.prefix_end(prefix)
    local head, last = prefix:match "^(.-)([^\xff])\xff*$"
    -- A zero byte: all keys that there are.
    return head and head .. string.char(last:byte() + 1) or "\0"
end

--------------------------------------------------------------------------------
-- Requests

local function fail(endpoint, reason)
    -- An error of sockets has no text of its own until it is asked for it.
    error(format("etcd %s: %s", endpoint, tostring(reason)), 0)
end

-- A 64-bit number of an answer; 0 if it was left out.
local function integer(value)
    if value == nil then
        return 0
    end
    return math.tointeger(value) or error("a number is none", 0)
end

local function field(answer, name, kind)
    local value = answer[name]
    if type(value) ~= kind then
        error(format("%s is missing in the answer", name), 0)
    end
    return value
end

local function object(text)
    local answer = json.decode(text)
    if type(answer) ~= "table" then
        error("the answer is no object", 0)
    end
    return answer
end

local function headers(self)
    return { ["Content-Type"] = "application/json", Authorization = self.token }
end

-- What an answer says that is none of a good request: its text, and its code, if it is an answer of etcd's.
local function complaint(status, body)
    local ok, answer = pcall(object, body)
    -- That of a stream is an object in the object.
    local inner = ok and type(answer.error) == "table" and answer.error or answer
    local text = ok and (inner.message or inner.error)
    if type(text) == "string" then
        return text, inner.code or inner.grpc_code
    end
    return format("status %d", status)
end

-- Sends to the current endpoint. The answer, or nil, what is wrong, and etcd's code if etcd has refused the request.
local function try(self, path, body)
    local ok, status, text = pcall(httpc.request, "POST", self.endpoints[self.current], path, nil, headers(self), body,
        self.timeout)
    if not ok then
        return nil, tostring(status)
    end
    if status ~= 200 then
        local reason, code = complaint(status, text)
        -- With a code of the server's fault another one may do better.
        return nil, reason, status < 500 and code or nil
    end
    local good, answer = pcall(object, text)
    if not good then
        return nil, answer
    end
    return answer
end

-- Several requests may fail at the same one, which is no reason to pass over the next.
local function leave_endpoint(self, index)
    if self.current == index then
        self.current = index % #self.endpoints + 1
    end
end

-- Sends to one endpoint after another until one has answered.
local function ask_all(self, path, body)
    local reason
    for _ = 1, #self.endpoints do
        local index = self.current
        local endpoint = self.endpoints[index]
        local answer, wrong, code = try(self, path, body)
        if answer then
            return answer
        end
        reason = wrong
        if code then
            return nil, code, endpoint, reason
        end
        leave_endpoint(self, index)
        if self.endpoints[2] == nil then
            fail(endpoint, reason)
        end
    end
    error("etcd: no endpoint answers, the last because: " .. reason, 0)
end

local function authenticate(self)
    local body = json.encode { name = self.user, password = self.password or "" }
    self.token = nil
    local answer, _, endpoint, reason = ask_all(self, "/v3/auth/authenticate", body)
    if not answer then
        fail(endpoint, reason)
    end
    self.token = field(answer, "token", "string")
end

--- Sends any request of the v3 API.
---@param path string  such as `/v3/kv/put`
---@param request table
---@return table answer
function client:request(path, request)
    local body = json.encode(request)
    local fresh = false
    if self.user and not self.token then
        authenticate(self)
        fresh = true
    end
    local answer, code, endpoint, reason = ask_all(self, path, body)
    if not answer and code == UNAUTHENTICATED and self.user and not fresh then
        -- Tokens end after a while, and with etcd.
        authenticate(self)
        answer, _, endpoint, reason = ask_all(self, path, body)
    end
    return answer or fail(endpoint, reason)
end

local function revision_of(answer)
    return integer(field(answer, "header", "table").revision)
end

local function pair_of(kv)
    return {
        key = decode64(field(kv, "key", "string")),
        value = kv.value and decode64(field(kv, "value", "string")) or "",
        revision = integer(kv.mod_revision),
        lease = kv.lease,
    }
end

--------------------------------------------------------------------------------
-- Keys and leases

--- Sets a key.
---@param key string
---@param value string
---@param lease string?  removes the key when it ends
---@return integer revision
function client:put(key, value, lease)
    return revision_of(self:request("/v3/kv/put", { key = encode64(key), value = encode64(value), lease = lease }))
end

--- Removes a key.
---@param key string
---@return integer count  1 if there was one
function client:delete(key)
    return integer(self:request("/v3/kv/deleterange", { key = encode64(key) }).deleted)
end

--- Reads the keys from one to another, which is not read itself.
---@param key string
---@param range_end string?  nil: only the first
---@return skynet.db.etcd.pair[] pairs
---@return integer revision  of the store when it was read
function client:range(key, range_end)
    local answer = self:request("/v3/kv/range", { key = encode64(key), range_end = range_end and encode64(range_end) })
    local pairs = {}
    if answer.kvs ~= nil then
        for i, kv in ipairs(field(answer, "kvs", "table")) do
            pairs[i] = pair_of(kv)
        end
    end
    return pairs, revision_of(answer)
end

--- Makes a lease, which ends unless it is kept alive.
---@param seconds integer  etcd may give more
---@return string lease
---@return integer seconds
function client:grant(seconds)
    local answer = self:request("/v3/lease/grant", { TTL = seconds })
    return field(answer, "ID", "string"), integer(answer.TTL)
end

--- Lets a lease begin anew.
---@param lease string
---@return integer seconds  0: it has ended
function client:keepalive(lease)
    local answer = self:request("/v3/lease/keepalive", { ID = lease })
    return integer(field(answer, "result", "table").TTL)
end

--- Ends a lease, and removes its keys.
---@param lease string
function client:revoke(lease)
    self:request("/v3/lease/revoke", { ID = lease })
end

--- Connects to the current endpoint, so that a lease can be ended at once and without waiting, such as when the service
--- itself ends.
---@param lease string
---@return http.httpc.connection connection
---@return fun() send  sends the request; nobody reads the answer
function client:prepare_revoke(lease)
    local endpoint = self.endpoints[self.current]
    local connection = httpc.connection(endpoint, self.timeout)
    local body = json.encode { ID = lease }
    local lines = { "POST /v3/lease/revoke HTTP/1.1\r\n" }
    local header = headers(self)
    header.Host = connection.address.header
    header["Content-Length"] = #body
    for name, value in pairs(header) do
        table.insert(lines, internal.header_line(name, value, ": "))
    end
    local request = table.concat(lines) .. "\r\n" .. body .. FILLER
    return connection, function()
        connection.write(request)
    end
end

--------------------------------------------------------------------------------
-- Watches

---@class skynet.db.etcd.event: skynet.db.etcd.pair
---@field deleted boolean  the key is gone; there is no value

---@class skynet.db.etcd.watch
---@field endpoint integer  the number of the endpoint that it watches at
---@field name string       the endpoint
---@field stream http.stream
---@field piece string   what has come
---@field from integer   what of it has not been taken yet
---@field parts string[] the beginning of a line
---@field size integer   how much that is, in bytes
local watch = {}
watch.__index = watch

--- Watches the keys from one to another.
---@param key string
---@param range_end string?
---@param revision integer  the first change to be told
---@return skynet.db.etcd.watch
function client:watch(key, range_end, revision)
    if self.user and not self.token then
        authenticate(self)
    end
    local body = json.encode {
        create_request = {
            key = encode64(key),
            range_end = range_end and encode64(range_end),
            start_revision = tostring(revision),
            progress_notify = true,
        },
    }
    local index = self.current
    local endpoint = self.endpoints[index]
    local header = headers(self)
    -- A server that has lost the others ends the watch; it would not hear of changes.
    header["Grpc-Metadata-hasleader"] = "true"
    local ok, stream = pcall(httpc.request_stream, "POST", endpoint, "/v3/watch", nil, header, body, self.timeout)
    if not ok then
        leave_endpoint(self, index)
        fail(endpoint, stream)
    end
    if stream.status ~= 200 then
        stream:close()
        leave_endpoint(self, index)
        -- It may be about the token, which is no longer used.
        self.token = nil
        fail(endpoint, format("status %d for a watch", stream.status))
    end
    return setmetatable({
        endpoint = index,
        name = endpoint,
        stream = stream,
        piece = "",
        from = 1,
        parts = {},
        size = 0,
    }, watch)
end

-- The next line; nil: the stream has ended.
local function next_line(self)
    while true do
        local piece, from = self.piece, self.from
        local at = find(piece, "\n", from, true)
        append(self.parts, sub(piece, from, at and at - 1))
        self.size = self.size + (at or #piece + 1) - from
        if self.size > internal.limit.body then
            error("a line of the watch is too long", 0)
        end
        if at then
            local line = table.concat(self.parts)
            self.parts, self.size, self.from = {}, 0, at + 1
            return line
        end
        local more = self.stream()
        if not more then
            return nil
        end
        self.piece, self.from = more, 1
    end
end

local function event_of(event)
    local found = pair_of(field(event, "kv", "table"))
    found.deleted = event.type == "DELETE"
    return found
end

-- The changes in an answer; nil: the revision has been compacted.
local function events_of(answer)
    if answer.error ~= nil then
        error(complaint(200, json.encode(answer)), 0)
    end
    local result = field(answer, "result", "table")
    if result.canceled then
        if result.compact_revision ~= nil then
            return nil
        end
        error(format("the watch is cancelled: %s", result.cancel_reason or "no reason given"), 0)
    end
    local events = {}
    if result.events ~= nil then
        for i, event in ipairs(field(result, "events", "table")) do
            events[i] = event_of(event)
        end
    end
    return events
end

--- Waits for changes. The first answer only says that the watch has begun, and others that it goes on: then the list is
--- empty. An error when the connection has ended.
---@return skynet.db.etcd.event[]? events  nil: the first revision is not kept any more, so read everything anew
function watch:next()
    local ok, line = pcall(next_line, self)
    if not ok or not line then
        self:close()
        fail(self.name, ok and "the watch has ended" or line)
    end
    local good, events = pcall(function()
        return events_of(object(line))
    end)
    if not good or not events then
        self:close()
    end
    if not good then
        fail(self.name, events)
    end
    return events
end

--- Ends it. A coroutine that waits for changes gets an error.
function watch:close()
    self.stream:close()
end

return etcd

--- Looks up the addresses of names without holding up the service: in the hosts file, then by asking a name server.
---
--- The socket for questions is opened by the first one, and closed when nobody has asked for a while. Answers are kept for
--- as long as they say; an older one is better than none when the server does not answer.

local skynet = require "skynet"
local socket = require "skynet.socket"
local message = require "skynet.dnsmessage"

--- How long a question waits for its answer. Hundredths of a second.
local TIMEOUT <const> = 30 * 100
--- How long the socket stays open without a question. Hundredths of a second.
local IDLE <const> = 60 * 100
--- How many names are remembered.
local MAX_CACHED <const> = 4096

---@class skynet.dns
---@field DEFAULT_HOSTS string?        the file of hosts, read at the first question; nil: none
---@field DEFAULT_RESOLV_CONF string?  the file that names the server, unless `server` does
local dns = {
    DEFAULT_HOSTS = "/etc/hosts",
    DEFAULT_RESOLV_CONF = "/etc/resolv.conf",
}

local server = { address = nil, port = 53, id = nil, used = 0 }

-- id of a question -> { name, kind, answers }
local pending = {}

-- kind -> name -> { addresses, until }
local cache
local cached

--- Forgets all answers.
function dns.flush()
    cache = { [message.A] = {}, [message.AAAA] = {} }
    cached = 0
end

dns.flush()

--------------------------------------------------------------------------------
-- Files

local function lines(path)
    local file = path and io.open(path)
    return coroutine.wrap(function()
        if file then
            for line in file:lines() do
                coroutine.yield((line:gsub("[#;].*", "")))
            end
            file:close()
        end
    end)
end

local function kind_of_address(text)
    if text:find ":" then
        return message.AAAA
    end
    return text:find "^[%d%.]+$" and message.A
end

-- kind -> name -> addresses; nil before the first question
local hosts

local function read_hosts()
    local found = { [message.A] = {}, [message.AAAA] = {} }
    for line in lines(dns.DEFAULT_HOSTS) do
        local address, names = line:match "^%s*([%x%.:%[%]]+)%s+(.*)"
        local kind = address and kind_of_address(address)
        if kind then
            for name in names:lower():gmatch "%S+" do
                local addresses = found[kind][name] or {}
                found[kind][name] = addresses
                table.insert(addresses, address)
            end
        end
    end
    return found
end

local function configured_server()
    for line in lines(dns.DEFAULT_RESOLV_CONF) do
        local address = line:match "^%s*nameserver%s+(%S+)"
        if address then
            return address
        end
    end
end

--------------------------------------------------------------------------------
-- The server

local function remember(answer)
    for _, kind in ipairs { message.A, message.AAAA } do
        if answer[kind][1] then
            if not cache[kind][answer.name] then
                if cached >= MAX_CACHED then
                    dns.flush()
                end
                cached = cached + 1
            end
            cache[kind][answer.name] = { answer[kind], skynet.now() + answer.ttl * 100 }
        end
    end
end

local function receive(bytes)
    local answer, reason = message.answer(bytes)
    if not answer then
        skynet.error("Recv an invalid package when dns query", reason)
        return
    end
    local question = pending[answer.id]
    if not question then
        -- It is late, or nobody has asked.
        return
    end
    if question.name ~= answer.name then
        skynet.error("Recv an invalid name when dns query")
        return
    end
    remember(answer)
    question.answers = answer[question.kind]
    skynet.wakeup(question)
end

local function close(id, address, port)
    if id then
        socket.close(id)
        skynet.error(string.format("Udp server close %s:%s (%d)", address, port, id))
    end
end

-- Closes the socket; the next question opens another one.
local function hang_up()
    local id = server.id
    server.id = nil
    close(id, server.address, server.port)
end

local function close_when_idle()
    local rest = server.used + IDLE - skynet.now()
    if rest > 0 then
        skynet.timeout(rest, close_when_idle)
    else
        hang_up()
    end
end

local function connect()
    server.used = skynet.now()
    if server.id then
        return server.id
    end
    server.address = server.address or configured_server()
    assert(server.address, "Call dns.server first")
    local id = socket.udp_dial(server.address, server.port, receive)
    server.id = id
    skynet.error(string.format("Udp server open %s:%s (%d)", server.address, server.port, id))
    skynet.timeout(IDLE, close_when_idle)
    return id
end

--- Names the server to ask.
---@param address string
---@param port integer?  53 by default
function dns.server(address, port)
    local id, old_address, old_port = server.id, server.address, server.port
    -- Closing waits. What is asked meanwhile is for the new one.
    server.address, server.port, server.id = address, port or 53, nil
    close(id, old_address, old_port)
end

--------------------------------------------------------------------------------
-- Questions

-- An id that no question has. It is not to be guessed, so that nobody else can answer.
local function free_id()
    local id = math.random(0, 0xffff)
    for _ = 0, 0xffff do
        if not pending[id] then
            return id
        end
        id = (id + 1) & 0xffff
    end
    error "too many names are looked up at a time"
end

local function ask(name, kind)
    local known = cache[kind][name]
    if known and known[2] > skynet.now() then
        return known[1]
    end
    local to = connect()
    local id = free_id()
    local question = { name = name, kind = kind }
    pending[id] = question
    local bytes = message.question(id, name, kind)
    if not socket.write(to, bytes) then
        -- The socket is gone after an error, such as that nobody is at the other end.
        hang_up()
        socket.write(connect(), bytes)
    end
    if skynet.sleep(TIMEOUT, question) ~= "BREAK" then
        skynet.error(string.format("DNS query %s timeout", name))
    end
    pending[id] = nil
    local answers = question.answers
    if answers and answers[1] then
        return answers
    end
    known = cache[kind][name]
    return known and known[1] or error "timeout or no answer"
end

--- Looks a name up. It is an error if there is no answer.
---@param name string    an address is its own answer
---@param ipv6 boolean?  IPv6 addresses are wanted; IPv4 without it
---@return string? address      the first; nil: the name is none
---@return string[]|string|nil  all of them; the reason, if the name is none
function dns.resolve(name, ipv6)
    name = name:lower()
    if kind_of_address(name) then
        return name
    end
    local kind = ipv6 and message.AAAA or message.A
    local normal = message.normal(name)
    if not normal then
        return nil, "illegal name"
    end
    hosts = hosts or read_hosts()
    local addresses = hosts[kind][normal] or ask(normal, kind)
    return addresses[1], addresses
end

return dns

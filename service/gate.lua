--- The gate: tells a watchdog of the clients, and passes their frames on to agents.
---
--- The watchdog gets `socket open fd address`, `socket data fd text` of clients without an agent, `socket close fd`,
--- `socket error fd text` and `socket warning fd size`. An agent gets frames as `client` messages, the fd their session.

local skynet = require "skynet"
local gateserver = require "snax.gateserver"

skynet.register_protocol {
    name = "client",
    id = skynet.PTYPE_CLIENT,
}

---@class gate.client
---@field agent integer|nil    who gets its frames; nobody: the watchdog
---@field source integer|nil   in whose name

local watchdog

--- fd -> client, from its connection until it closes
---@type table<integer, gate.client>
local clients = {}

local function report(...)
    skynet.send(watchdog, "lua", "socket", ...)
end

---@type snax.gateserver.handler
local on = {}

--- The watchdog is who opens the gate, unless `conf.watchdog` is another one.
function on.open(opener, conf)
    watchdog = conf.watchdog or opener
    return conf.address, conf.port
end

function on.connect(fd, address)
    clients[fd] = {}
    report("open", fd, address)
end

function on.message(fd, msg, sz)
    local client = clients[fd]
    local agent = client and client.agent
    if agent then
        -- The frame goes along: it is the agent's to free.
        skynet.redirect(agent, client.source, "client", fd, msg, sz)
        return
    end
    local text = skynet.tostring(msg, sz)
    skynet.trash(msg, sz)
    report("data", fd, text)
end

function on.disconnect(fd)
    clients[fd] = nil
    report("close", fd)
end

function on.error(fd, text)
    clients[fd] = nil
    report("error", fd, text)
end

function on.warning(fd, size)
    report("warning", fd, size)
end

local commands = {}

--- Gives a client's frames to an agent, and reads them.
---@param source integer the agent, unless another one is given
---@param fd integer
---@param client integer? in whose name the agent gets them; nobody's by default
---@param agent integer?
function commands.forward(source, fd, client, agent)
    local record = assert(clients[fd], "no such client")
    record.agent, record.source = agent or source, client or 0
    gateserver.openclient(fd)
end

--- Reads a client's frames, for the watchdog.
---@param _ integer
---@param fd integer
function commands.accept(_, fd)
    local record = assert(clients[fd], "no such client")
    record.agent, record.source = nil, nil
    gateserver.openclient(fd)
end

--- Closes a client.
---@param _ integer
---@param fd integer
function commands.kick(_, fd)
    gateserver.closeclient(fd)
end

function on.command(name, source, ...)
    local command = assert(commands[name], "no such command")
    return command(source, ...)
end

gateserver.start(on)

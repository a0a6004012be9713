--- Opens the gate, gives each client that comes an agent, and ends both together.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local sprotoloader = require "sprotoloader"

--- So much may wait for a client that does not read. KiB.
local MOST_WAITING <const> = 1024

---@class chat.client
---@field agent integer|nil its agent, once it is there

--- fd -> client
---@type table<integer, chat.client>
local clients = {}

local gate

---@param fd integer
local function drop(fd)
    local client = clients[fd]
    if not client then
        return
    end
    clients[fd] = nil
    skynet.send(gate, "lua", "kick", fd)
    if client.agent then
        skynet.send(client.agent, "lua", "stop")
    end
end

--- What the gate tells.
local events = {}

function events.open(fd, address)
    skynet.error("A client from", address)
    local client = {}
    clients[fd] = client
    local agent = skynet.newservice "agent"
    if clients[fd] ~= client then
        -- It has gone while its agent was being launched.
        skynet.send(agent, "lua", "stop")
        return
    end
    client.agent = agent
    skynet.send(agent, "lua", "start", { fd = fd, gate = gate, watchdog = skynet.self() })
end

events.close = drop

function events.error(fd, text)
    skynet.error(("The socket of client %d has failed: %s"):format(fd, text))
    drop(fd)
end

function events.warning(fd, size)
    if size >= MOST_WAITING then
        skynet.error(("Client %d does not read: %d KiB wait for it"):format(fd, size))
        -- A close would wait until it has read them.
        driver.shutdown(fd)
        drop(fd)
    end
end

local commands = {}

---@param conf table the gate's
---@return string address, integer port
function commands.open(conf)
    return skynet.call(gate, "lua", "open", conf)
end

--- Ends a client.
commands.close = drop

skynet.start(function()
    sprotoloader.register(skynet.getenv "chat_schema")
    gate = skynet.newservice "gate"
    skynet.dispatch("lua", function(_, _, name, ...)
        if name == "socket" then
            local event, fd, detail = ...
            events[event](fd, detail)
        else
            skynet.retpack(commands[name](...))
        end
    end)
end)

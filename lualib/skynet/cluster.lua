--- Services of other nodes, which are known by name and reached over one TCP connection each way.
---
--- `clusterd` knows the nodes, and has a *sender* for each that was asked for: a service with the connection to it.
--- Once this service knows a node's sender, calls and sends go straight there. Until then they wait in line, and go in
--- the order in which they came.

local skynet = require "skynet"

local pack = skynet.pack

local clusterd

local function call_clusterd(...)
    return skynet.call(clusterd, "lua", ...)
end

---@class skynet.cluster
local cluster = {}

--- node -> its sender
---@type table<string, integer>
local senders = {}

--- Those who wait for a node's sender: tasks, and sends as packed values.
---@class skynet.cluster.line
---@field first integer
---@field last integer
---@field sender integer|nil  nil: there is none

--- node -> line
---@type table<string, skynet.cluster.line>
local lines = {}

local function repack(address, ...)
    return address, pack(...)
end

-- Lets those in line go, up to the next task: it sends by itself, and those after it have to wait for that.
local function advance(node, line)
    while line.first <= line.last do
        local next_one = line[line.first]
        line[line.first] = nil
        line.first = line.first + 1
        if type(next_one) ~= "string" then
            -- Unless the task was killed meanwhile.
            if skynet.wakeup(next_one) then
                return
            end
        elseif line.sender then
            skynet.send(line.sender, "lua", "push", repack(skynet.unpack(next_one)))
        end
    end
    lines[node] = nil
    senders[node] = line.sender
end

local function ask(node, line)
    local ok, result = pcall(call_clusterd, "sender", node)
    if ok then
        line.sender = result
    else
        skynet.error(result)
    end
    advance(node, line)
end

-- Puts a task or a send in line.
local function wait_in_line(node, what)
    local line = lines[node]
    if not line then
        line = { first = 1, last = 0 }
        lines[node] = line
        skynet.fork(ask, node, line)
    end
    line.last = line.last + 1
    line[line.last] = what
    return line
end

--- The service that has the connection to a node. Waits until there is one; what the caller sends to it before it
--- blocks again goes before that of those who asked later.
---@param node string
---@return integer? sender nil: the node cannot be reached
function cluster.get_sender(node)
    local sender = senders[node]
    if sender then
        return sender
    end
    local token = {}
    local line = wait_in_line(node, token)
    skynet.wait(token)
    skynet.fork(advance, node, line)
    return line.sender
end

-- The sender of a node that was not known; an error if it cannot be reached.
local function find_sender(node)
    return cluster.get_sender(node) or error(("cluster node [%s] cannot be reached"):format(node), 3)
end

--- Calls a service of another node, and waits for its answer. Raises when it cannot be reached or fails.
---@param node string
---@param address integer|string a handle, a name with a dot in front, or `@` and a name that was registered there
---@param ... any
---@return any ...
function cluster.call(node, address, ...)
    local sender = senders[node]
    if sender then
        return skynet.call(sender, "lua", "req", address, pack(...))
    end
    -- As a string, which needs nobody to free it; the values may change while this waits.
    local request = skynet.packstring(address, ...)
    return skynet.call(find_sender(node), "lua", "req", repack(skynet.unpack(request)))
end

--- Sends a message to a service of another node. Nobody hears of it if it is lost.
---@param node string
---@param address integer|string as for `call`
---@param ... any
function cluster.send(node, address, ...)
    local sender = senders[node]
    if sender then
        skynet.send(sender, "lua", "push", address, pack(...))
    else
        wait_in_line(node, skynet.packstring(address, ...))
    end
end

--- Listens for other nodes.
---@param port string|integer a node's name, whose address it listens at; or a port of all of the machine's addresses, 0
--- for a free one
---@param maxclient integer? how many may be connected
---@return string address or the name
---@return integer? port
function cluster.open(port, maxclient)
    local host = "0.0.0.0"
    if type(port) == "string" then
        ---@cast port any
        host, port = port, nil
    end
    return call_clusterd("listen", host, port, maxclient)
end

--- Changes what is known of the nodes. Those that are not named stay as they are.
---@param config table<string, string|false|any>? a name -> its address, or false: it is down; `__option` -> a value.
--- Without it, what the file says that the node's config names with `cluster`
function cluster.reload(config)
    call_clusterd("reload", config)
end

--- A service of this node that stands for one of another node: what is sent to it goes there.
---@param node string or the node's name and the service's, with a dot or an `@` between them, which is the service's
---@param name integer|string? the service
---@return integer handle
function cluster.proxy(node, name)
    return call_clusterd("proxy", node, name)
end

--- The object of another node's snax service, which has to have called `snax.enablecluster`.
---@param node string
---@param name string
---@param address integer|string? without it, of the node's unique service of that name
---@return snax.object
function cluster.snax(node, name, address)
    address = address or cluster.call(node, ".service", "QUERY", "snaxd", name)
    return require "skynet.snax".bind(cluster.proxy(node, address), name)
end

--- Gives a service of this node a name that other nodes find it by: `@` and the name.
---@param name string
---@param addr integer? this service by default
function cluster.register(name, addr)
    assert(type(name) == "string", "the name must be a string")
    assert(addr == nil or type(addr) == "number", "the address must be a number")
    return call_clusterd("register", name, addr)
end

--- Takes a name away.
---@param name string
function cluster.unregister(name)
    assert(type(name) == "string", "the name must be a string")
    return call_clusterd("unregister", name)
end

--- Which handle a name has in another node. Raises if it has none.
---@param node string
---@param name string
---@return integer handle
function cluster.query(node, name)
    return skynet.call(find_sender(node), "lua", "req", 0, pack(name))
end

skynet.init(function()
    clusterd = skynet.uniqueservice "clusterd"
end)

return cluster

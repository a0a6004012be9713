--- A server for clients that send frames of two bytes of size and content.
---
--- A client counts from its connection to its last event. The handler is told of it, and its frames are read from when
--- `openclient` says so until it closes or `closeclient` is called.

local skynet = require "skynet"
local netpack = require "skynet.netpack"
local driver = require "skynet.socketdriver"

--- Clients at most, where `open` is not told.
local MOST_CLIENTS <const> = 1024

---@class snax.gateserver.handler
---@field message fun(fd: integer, msg: lightuserdata, sz: integer) takes a frame, and owns it
---@field connect fun(fd: integer, address: string) a client has come
---@field disconnect (fun(fd: integer))|nil a client has gone, or one that there was no room for
---@field error (fun(fd: integer, text: string))|nil a client's socket has failed; `disconnect` follows
---@field warning (fun(fd: integer, size: integer))|nil so many KiB wait to be sent; 0: no more than usual
---@field open (fun(source: integer, conf: table): any)|nil the server listens; its results answer the command
---@field command (fun(cmd: string, source: integer, ...: any): any)|nil every other command
---@field embed boolean|nil the service calls `skynet.start` itself

---@class snax.gateserver
local gateserver = {}

--- fd -> whether frames of it are still handled; false once it has closed by itself
---@type table<integer, boolean>
local clients = {}

--- The state of the server. The frames in its queue go when it goes.
local server = setmetatable({
    listener = nil, ---@type integer?
    opening = nil, ---@type table? what the task in `open` waits for
    queue = nil, ---@type userdata?
    count = 0,
    most = MOST_CLIENTS,
    nodelay = false,
}, {
    __gc = function(self)
        netpack.clear(self.queue)
    end,
})

--- Begins to read a client's frames.
---@param fd integer
function gateserver.openclient(fd)
    if clients[fd] then
        driver.start(fd)
    end
end

--- Closes a client, when everything for it is sent.
---@param fd integer
function gateserver.closeclient(fd)
    if clients[fd] ~= nil then
        clients[fd] = nil
        driver.close(fd)
    end
end

--- Listens, and returns when the socket does.
---@param conf table `address`, `port`, `maxclient`, `nodelay`, `backlog`; it gets the address and port that came of it
local function listen(conf)
    assert(not server.listener, "the gate is open already")
    local address = conf.address or "0.0.0.0"
    server.most = conf.maxclient or MOST_CLIENTS
    server.nodelay = conf.nodelay
    skynet.error("Listen on", address, conf.port)
    local fd = driver.listen(address, conf.port, conf.backlog)
    local opening = { task = coroutine.running() }
    server.listener, server.opening = fd, opening
    skynet.wait(opening.task)
    if opening.failure then
        error(("cannot listen on %s: %s"):format(address, opening.failure))
    end
    conf.address, conf.port = opening.address, opening.port
    driver.start(fd)
end

--- Wakes the task in `listen`, if there is one.
---@param result table what it waits for: `address` and `port`, or `failure`
---@return boolean
local function opened(result)
    local opening = server.opening
    if not opening then
        return false
    end
    server.opening = nil
    for name, value in pairs(result) do
        opening[name] = value
    end
    skynet.wakeup(opening.task)
    return true
end

--- The handler of the service's messages about sockets, by the names that netpack has for them.
---@param handler snax.gateserver.handler
---@return table<string, function>
local function events(handler)
    local on = {}

    function on.data(fd, msg, sz)
        if clients[fd] then
            handler.message(fd, msg, sz)
        else
            skynet.error(("Drop message from fd (%d) : %s"):format(fd, netpack.tostring(msg, sz)))
        end
    end

    --- Several frames. If the handler blocks in one, another task goes on with those after it; if it does not, that
    --- task finds nothing to do.
    function on.more()
        local fd, msg, sz = netpack.pop(server.queue)
        if not fd then
            return
        end
        skynet.fork(on.more)
        repeat
            on.data(fd, msg, sz)
            fd, msg, sz = netpack.pop(server.queue)
        until not fd
    end

    function on.open(fd, address)
        server.count = server.count + 1
        if server.count >= server.most then
            driver.shutdown(fd)
            return
        end
        if server.nodelay then
            driver.nodelay(fd)
        end
        clients[fd] = true
        handler.connect(fd, address)
    end

    function on.close(fd)
        if fd == server.listener then
            server.listener = nil
            opened { failure = "closed" }
            return
        end
        server.count = server.count - 1
        -- What is left in the queue is dropped, but `closeclient` still frees the socket.
        if clients[fd] then
            clients[fd] = false
        end
        if handler.disconnect then
            handler.disconnect(fd)
        end
    end

    function on.error(fd, text)
        if fd == server.listener then
            skynet.error("gateserver accept error:", text)
            if opened { failure = text } then
                server.listener = nil
                driver.close(fd)
            end
            return
        end
        driver.shutdown(fd)
        if handler.error then
            handler.error(fd, text)
        end
    end

    function on.warning(fd, size)
        if handler.warning then
            handler.warning(fd, size)
        end
    end

    function on.init(fd, address, port)
        if fd == server.listener then
            opened { address = address, port = port }
        end
    end

    return on
end

--- Makes the service a gate. It listens from the lua command `open` to the command `close`; the handler gets every
--- other command.
---@param handler snax.gateserver.handler
function gateserver.start(handler)
    assert(type(handler.message) == "function", "handler.message must be a function")
    assert(type(handler.connect) == "function", "handler.connect must be a function")

    local on = events(handler)
    local commands = {}

    function commands.open(source, conf)
        listen(conf)
        if handler.open then
            return handler.open(source, conf)
        end
    end

    function commands.close()
        driver.close(assert(server.listener, "the gate is not open"))
    end

    skynet.register_protocol {
        id = skynet.PTYPE_SOCKET,
        name = "socket",
        unpack = function(msg, sz)
            return netpack.filter(server.queue, msg, sz)
        end,
        dispatch = function(_, _, queue, event, ...)
            server.queue = queue
            if event then
                on[event](...)
            end
        end,
    }

    local function dispatch()
        skynet.dispatch("lua", function(_, source, name, ...)
            local command = commands[name]
            if command then
                skynet.retpack(command(source, ...))
            else
                skynet.retpack(handler.command(name, source, ...))
            end
        end)
    end

    if handler.embed then
        dispatch()
    else
        skynet.start(dispatch)
    end
end

return gateserver

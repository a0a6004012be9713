--- Adds to `skynet` what a node's own services need: launching by module, names, killing, other ways to start.

local skynet = require "skynet"
local core = require "skynet.core"

local command = core.command

-- The longest name that fits into a harbor message, with its final zero.
local GLOBAL_NAME_SIZE <const> = 16

--- Launches a C service (or snlua with its arguments) without asking the launcher.
---@param ... string|number  module name and arguments, joined by spaces
---@return integer|nil handle  nil when the module is missing or its init fails
function skynet.launch(...)
    local address = command("LAUNCH", table.concat({ ... }, " "))
    return address and tonumber(address:sub(2), 16)
end

local function handle_of(service)
    if type(service) == "number" then
        return service
    end
    local hex = service:match "^:(%x+)"
    return hex and tonumber(hex, 16)
end

--- Ends another service, without asking it.
---@param service integer|string  handle, ":hex" or local name
function skynet.kill(service)
    local handle = handle_of(service)
    if handle then
        skynet.send(".launcher", "lua", "REMOVE", handle, true)
        service = skynet.address(handle)
    end
    command("KILL", service)
end

--- Ends the node.
function skynet.abort()
    command "ABORT"
end

-- Names without a dot in front are known to all nodes; the harbor keeps them. True when `name` was one of those.
local function register_everywhere(name, handle)
    local first = name:sub(1, 1)
    if first == "." then
        return false
    end
    assert(first ~= ":", "a service's name cannot begin with a colon")
    assert(#name < GLOBAL_NAME_SIZE, "a global name has at most 15 bytes")
    assert(not tonumber(name), "a global name cannot be a number")
    require "skynet.harbor".globalname(name, handle)
    return true
end

--- Gives this service a name: local with a dot in front, else known to all nodes.
---@param name string
function skynet.register(name)
    if not register_everywhere(name) then
        command("REG", name)
    end
end

--- Gives another service a name.
---@param name string
---@param handle integer
function skynet.name(name, handle)
    if not register_everywhere(name, handle) then
        command("NAME", name .. " " .. skynet.address(handle))
    end
end

local dispatch_message = skynet.dispatch_message

local function start_with(callback, keep_messages, start)
    core.callback(callback, keep_messages)
    skynet.timeout(0, function()
        skynet.init_service(start)
    end)
end

--- Instead of skynet.start: messages of the types in `map` come in as another type and are not freed, so that their
--- pointer can be sent on.
---@param map table<integer, integer>  type number -> type number
---@param start_func function
function skynet.forward_type(map, start_func)
    start_with(function(ptype, msg, sz, session, source)
        local as = map[ptype]
        if as then
            return dispatch_message(as, msg, sz, session, source)
        end
        local ok, err = pcall(dispatch_message, ptype, msg, sz, session, source)
        core.trash(msg, sz)
        if not ok then
            error(err, 0)
        end
    end, true, start_func)
end

--- Instead of skynet.start: every message passes through `func` first.
---@param func fun(ptype: integer, msg: lightuserdata, sz: integer, session: integer, source: integer): ...
---@param start_func function
function skynet.filter(func, start_func)
    start_with(function(...)
        dispatch_message(func(...))
    end, false, start_func)
end

--- Makes a unique global service the node's monitor: it is told of every service that exits.
---@param service string  its name
---@param query? boolean  it runs already
---@return integer handle
function skynet.monitor(service, query)
    local find = query and skynet.queryservice or skynet.uniqueservice
    local handle = assert(find(true, service), "Monitor launch failed")
    command("MONITOR", skynet.address(handle))
    return handle
end

return skynet

--- snax: services whose methods are called by name on an object that stands for them.

local skynet = require "skynet"
local read_interface = require "snax.interface"

--- What a snax file sees while only its interface is read: its main chunk must do with this.
local visible = { require = function() end }
local shared = skynet.getenv "snax_interface_g"
if shared then
    visible = require(shared)
end

skynet.register_protocol { name = "snax", id = skynet.PTYPE_SNAX, pack = skynet.pack, unpack = skynet.unpack }

---@class skynet.snax
---@field enablecluster fun()|nil  in a snax service: its methods can be called by lua messages too
local snax = {}

---@class snax.interface
---@field name string
---@field accept table<string, integer>     numbers of the methods
---@field response table<string, integer>
---@field system table<string, integer>

--- name -> interface
---@type table<string, snax.interface>
local interfaces = {}

--- What a service of that name offers.
---@param name string
---@return snax.interface
function snax.interface(name)
    local interface = interfaces[name]
    if interface then
        return interface
    end
    assert(type(name) == "string", "the name of a snax service must be a string")
    -- Globals of one file are no business of the next one.
    local env = {}
    for key, value in pairs(visible) do
        env[key] = value
    end
    interface = { name = name, accept = {}, response = {}, system = {} }
    for _, method in ipairs((read_interface(name, env))) do
        interface[method[2]][method[3]] = method[1]
    end
    interfaces[name] = interface
    return interface
end

----- objects

--- A service: `object.post.NAME(...)` sends it a message, `object.req.NAME(...)` makes a request and returns the answer.
---@class snax.object
---@field post table<string, fun(...: any)>
---@field req table<string, fun(...: any): ...>
---@field type string      its name
---@field handle integer

local object_meta = {
    __tostring = function(object)
        return ("[%s:%x]"):format(object.type, object.handle)
    end,
}

--- A table whose functions are made when they are asked for.
---@param kind string what an error calls a method
---@param interface snax.interface
---@param group "accept"|"response"
---@param make fun(id: integer): function
local function methods(kind, interface, group, make)
    return setmetatable({}, {
        __index = function(self, name)
            local id = interface[group][name]
            if not id then
                error(("%s %s:%s no exist"):format(kind, interface.name, name), 2)
            end
            local method = make(id)
            rawset(self, name, method)
            return method
        end,
    })
end

---@param handle integer
---@param interface snax.interface
---@return snax.object
local function new_object(handle, interface)
    local call, send = skynet.call, skynet.send
    return setmetatable({
        type = interface.name,
        handle = handle,
        post = methods("post", interface, "accept", function(id)
            return function(...)
                send(handle, "snax", id, ...)
            end
        end),
        req = methods("request", interface, "response", function(id)
            return function(...)
                return call(handle, "snax", id, ...)
            end
        end),
    }, object_meta)
end

--- handle -> object, as long as somebody has it
---@type table<integer, snax.object>
local objects = setmetatable({}, { __mode = "v" })

--- Calls a method of a service's life.
---@param object snax.object
---@param name "exit"|"hotfix"|"profile"
local function call_system(object, name, ...)
    local id = snax.interface(object.type).system[name]
    return skynet.call(object.handle, "snax", id, ...)
end

--- The object of a service that runs.
---@param handle integer
---@param type string the service's name
---@return snax.object
function snax.bind(handle, type)
    local object = objects[handle]
    if object then
        if object.type ~= type then
            error(("service %s is a %s, not a %s"):format(skynet.address(handle), object.type, type), 2)
        end
        return object
    end
    object = new_object(handle, snax.interface(type))
    objects[handle] = object
    return object
end

----- services

--- Launches a service and waits for its `init`.
---@param name string
---@param ... any arguments of `init`
---@return integer handle
function snax.rawnewservice(name, ...)
    local interface = snax.interface(name)
    local handle = skynet.newservice("snaxd", name)
    -- Of a service that had the handle before.
    objects[handle] = nil
    skynet.call(handle, "snax", interface.system.init, ...)
    return handle
end

--- Launches a service and waits for its `init`.
---@param name string
---@param ... any arguments of `init`
---@return snax.object
function snax.newservice(name, ...)
    return snax.bind(snax.rawnewservice(name, ...), name)
end

--- This node's service of that name, launched when there is none yet.
---@param name string
---@param ... any arguments of `init`
---@return snax.object
function snax.uniqueservice(name, ...)
    return snax.bind(skynet.uniqueservice("snaxd", name, ...), name)
end

--- The network's service of that name, launched when there is none yet.
---@param name string
---@param ... any arguments of `init`
---@return snax.object
function snax.globalservice(name, ...)
    return snax.bind(skynet.uniqueservice(true, "snaxd", name, ...), name)
end

--- This node's service of that name; waits until somebody launches it.
---@param name string
---@return snax.object
function snax.queryservice(name)
    return snax.bind(skynet.queryservice("snaxd", name), name)
end

--- The network's service of that name; waits until somebody launches it.
---@param name string
---@return snax.object
function snax.queryglobal(name)
    return snax.bind(skynet.queryservice(true, "snaxd", name), name)
end

--- Ends a service, after its `exit`.
---@param object snax.object
---@param ... any arguments of `exit`
function snax.kill(object, ...)
    call_system(object, "exit", ...)
end

--- The object of this service, which must be a snax service.
---@return snax.object
function snax.self()
    return snax.bind(skynet.self(), SERVICE_NAME)
end

--- Ends this service, after its `exit`.
---@param ... any arguments of `exit`
function snax.exit(...)
    call_system(snax.self(), "exit", ...)
end

---@param ok boolean
local function results(ok, ...)
    if not ok then
        error((...), 0)
    end
    return ...
end

--- Replaces methods of a service; see snax.hotfix. Raises when the patch does not fit, and then nothing is replaced.
---@param object snax.object
---@param source string the patch
---@param ... any arguments of its `hotfix`
---@return any ... what that returns
function snax.hotfix(object, source, ...)
    return results(call_system(object, "hotfix", source, ...))
end

--- Writes to the log.
---@param fmt string
---@param ... any
function snax.printf(fmt, ...)
    skynet.error(fmt:format(...))
end

--- How often a service's methods have run, and for how long.
---@param object snax.object
---@return table<string, { count: integer, time: number }> methods  CPU time in seconds
function snax.profile_info(object)
    return call_system(object, "profile")
end

return snax

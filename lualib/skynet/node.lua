--- The part of the API about the node and this service's place in it: environment, clock, statistics, unique services.

local core = require "skynet.core"

return function(skynet, kernel)
    local part = {}
    local started

    --- When the node started, in seconds of UNIX time.
    ---@return integer
    function part.starttime()
        started = started or core.intcommand "STARTTIME"
        return started
    end

    --- The time of day in seconds, exact to a centisecond.
    ---@return number
    function part.time()
        return skynet.now() / 100 + part.starttime()
    end

    --- Sets a key of the node's environment that has no value yet.
    ---@param key string
    ---@param value string|number
    function part.setenv(key, value)
        if skynet.getenv(key) ~= nil then
            error("Can't setenv exist key : " .. key)
        end
        core.command("SETENV", key .. " " .. value)
    end

    --- One of the figures: messages in the mailbox, whether the monitor found an endless loop here (1, once),
    --- CPU seconds, seconds since the last message began, messages handled.
    ---@param what "mqlen"|"endless"|"cpu"|"time"|"message"
    ---@return number
    function part.stat(what)
        return core.intcommand("STAT", what)
    end

    --- Whether the monitor found this service in an endless loop since it was last asked.
    ---@return boolean
    function part.endless()
        return part.stat "endless" == 1
    end

    --- The number of messages that wait in the mailbox.
    ---@return integer
    function part.mqlen()
        return part.stat "mqlen"
    end

    --- Limits this service's memory. Only while its main chunk runs, and once.
    ---@param bytes integer
    function part.memlimit(bytes)
        debug.getregistry().memlimit = bytes
        skynet.memlimit = nil
    end

    -- Both unique-service calls: what the manager is asked depends on whether the name is the node's or the network's.
    local function ask_manager(here, everywhere, name, ...)
        if name == true then
            return assert(skynet.call(".service", "lua", everywhere, ...))
        end
        return assert(skynet.call(".service", "lua", here, name, ...))
    end

    --- The service of that name, launched when there is none yet. With true in front: one for all nodes.
    ---@param name string|true
    ---@return integer handle
    function part.uniqueservice(name, ...)
        return ask_manager("LAUNCH", "GLAUNCH", name, ...)
    end

    --- The unique service of that name; waits until somebody has launched it.
    ---@param name string|true
    ---@return integer handle
    function part.queryservice(name, ...)
        return ask_manager("QUERY", "GQUERY", name, ...)
    end

    --- Fails every call of this service that waits for `service`.
    ---@param service integer|string
    function part.term(service)
        return kernel.on_error(0, service)
    end

    return part
end

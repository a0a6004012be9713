--- Values that all nodes of a network share, each under a path of keys.

local skynet = require "skynet"

local function ask(command)
    return function(...)
        return skynet.call("DATACENTER", "lua", command, ...)
    end
end

local datacenter = {}

--- The value at a path, or nil: get(key1, key2, ...).
datacenter.get = ask "QUERY"

--- Sets the value at a path: set(key1, key2, ..., value). Returns the value before.
datacenter.set = ask "UPDATE"

--- As get, and waits until there is a value.
datacenter.wait = ask "WAIT"

return datacenter

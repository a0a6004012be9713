--- Stands for a service of another node: passes on what it is sent, and the answers.

local skynet = require "skynet.manager"
require "skynet.cluster"

local node, address = ...
address = tonumber(address) or address

local PTYPE_SYSTEM <const> = skynet.PTYPE_SYSTEM

skynet.register_protocol {
    name = "system",
    id = PTYPE_SYSTEM,
    unpack = function(...)
        return ...
    end,
}

-- Answers are not freed either: their pointers are passed on.
skynet.forward_type({
    [skynet.PTYPE_LUA] = PTYPE_SYSTEM,
    [skynet.PTYPE_SNAX] = PTYPE_SYSTEM,
    [skynet.PTYPE_RESPONSE] = skynet.PTYPE_RESPONSE,
}, function()
    local clusterd = skynet.uniqueservice "clusterd"
    local sender = skynet.call(clusterd, "lua", "sender", node)
    skynet.dispatch("system", function(session, _, msg, sz)
        if session == 0 then
            skynet.send(sender, "lua", "push", address, msg, sz)
        else
            skynet.ret(skynet.rawcall(sender, "lua", skynet.pack("req", address, msg, sz)))
        end
    end)
end)

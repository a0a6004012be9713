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

local function start()
    local sender = skynet.call(skynet.uniqueservice "clusterd", "lua", "sender", node)
    assert(sender, "the node is down")

    -- In the name of who asks: the answer need not come through here.
    local function pass_on(name, session, source, msg, sz)
        return skynet.redirect(sender, source, "lua", session, skynet.pack(name, address, msg, sz))
    end

    skynet.dispatch("system", function(session, source, msg, sz)
        if session == 0 then
            pass_on("push", session, source, msg, sz)
        elseif skynet.tracetag() then
            -- A trace goes from service to service.
            local request, size = skynet.pack("req", address, msg, sz)
            skynet.ret(skynet.rawcall(sender, "lua", request, size))
        elseif pass_on("req", session, source, msg, sz) then
            skynet.ignoreret()
        else
            skynet.trash(msg, sz)
            skynet.response()(false)
        end
    end)
end

-- Answers are not freed either: their pointers are passed on.
skynet.forward_type({
    [skynet.PTYPE_LUA] = PTYPE_SYSTEM,
    [skynet.PTYPE_SNAX] = PTYPE_SYSTEM,
    [skynet.PTYPE_RESPONSE] = skynet.PTYPE_RESPONSE,
}, start)

--- A proxy for lua messages that never unpacks one: the message's pointer itself goes on to 22-mydb, and the answer's
--- back.

local skynet = require "skynet.manager"

local TARGET <const> = ".mydb"

skynet.register_protocol {
    name = "system",
    id = skynet.PTYPE_SYSTEM,
    unpack = function(msg, sz)
        return msg, sz
    end,
}

-- Messages of these types are not freed after they were handled. lua messages come in as system messages, so that the
-- type lua itself stays as it is, for the request to the target.
local forwarded = {
    [skynet.PTYPE_LUA] = skynet.PTYPE_SYSTEM,
    [skynet.PTYPE_RESPONSE] = skynet.PTYPE_RESPONSE,
}

skynet.forward_type(forwarded, function()
    skynet.dispatch("system", function(_, _, msg, sz)
        skynet.ret(skynet.rawcall(TARGET, "lua", msg, sz))
    end)
    skynet.register ".proxy"
end)

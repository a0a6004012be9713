--- A service for messages of another type than lua.

local skynet = require "skynet.manager"

skynet.register_protocol {
    name = "system",
    id = skynet.PTYPE_SYSTEM,
    pack = skynet.pack,
    unpack = skynet.unpack,
}

skynet.start(function()
    skynet.dispatch("system", function(_, _, text)
        skynet.error("othermsg receive msg:", text)
        skynet.retpack "success !"
    end)
    skynet.register ".othermsg"
end)

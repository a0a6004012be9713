--- Hands system messages on to another service, whose name is the argument, and its answers back.

local skynet = require "skynet.manager"

local target = ...

skynet.register_protocol {
    name = "system",
    id = skynet.PTYPE_SYSTEM,
    pack = skynet.pack,
    unpack = skynet.unpack,
}

skynet.start(function()
    skynet.dispatch("system", function(_, _, ...)
        skynet.error("proxy receive msg:", (...))
        skynet.retpack(skynet.call(target, "system", ...))
    end)
    skynet.register ".proxy"
end)

--- Calls 29-othermsg, through 31-proxy when that runs.

local skynet = require "skynet"

-- The caller needs the type too: call packs and unpacks with it.
skynet.register_protocol {
    name = "system",
    id = skynet.PTYPE_SYSTEM,
    pack = skynet.pack,
    unpack = skynet.unpack,
}

skynet.start(function()
    local dest = skynet.localname ".proxy" or skynet.localname ".othermsg"
    skynet.error("return value:", skynet.call(dest, "system", "test othermsg"))
end)

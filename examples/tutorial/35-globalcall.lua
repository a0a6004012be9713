--- Calls the service of 34-globalluamsg, on whichever node it is, and waits until there is one.

local skynet = require "skynet"
local harbor = require "skynet.harbor"

skynet.start(function()
    local address = harbor.queryname "globalluamsg"
    skynet.error("skynet.call return value:", skynet.call(address, "lua", "test remote node msg"))
end)

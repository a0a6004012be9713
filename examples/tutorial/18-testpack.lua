--- Packing values into a message, and unpacking it more than once.

local skynet = require "skynet"

skynet.start(function()
    local msg, sz = skynet.pack("testmsg", 1.22, false)
    skynet.error(skynet.unpack(msg, sz))
    -- Unpacking does not use the message up.
    for i, value in ipairs { skynet.unpack(msg, sz) } do
        skynet.error("arg" .. i .. ":", value)
    end
    -- It was not sent, so it is still ours to free.
    skynet.trash(msg, sz)
end)

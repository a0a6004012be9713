local skynet = require "skynet"

local batch <const> = 32

local count = 0
local handled = {}

skynet.start(function()
    skynet.dispatch("lua", function(_, source, name)
        if name == "count" then
            skynet.retpack(count, skynet.hpc())
            return
        end
        count = count + 1
        local n = (handled[source] or 0) + 1
        if n == batch then
            n = 0
            skynet.send(source, "lua", "credit", batch)
        end
        handled[source] = n
    end)
end)

--- Messages to a harbor that is not there yet: they wait for it. Three harbors, of which each calls both others.

local skynet = require "skynet.manager"
local harbor = require "skynet.harbor"
local report = require "report"

local id = tonumber(skynet.getenv "harbor")

skynet.start(function()
    skynet.name("PEER_" .. id, skynet.newservice "peer")
    skynet.fork(function()
        for other = 1, 3 do
            if other ~= id then
                report.call(("%d to %d"):format(id, other), skynet.call, "PEER_" .. other, "lua", "echo", id)
                report.call(("%d to %d large"):format(id, other), skynet.call, "PEER_" .. other, "lua", "blob", 1 << 20)
                harbor.connect(other)
                local address = harbor.queryname("PEER_" .. other)
                report.call(("%d to %d by address"):format(id, other), skynet.call, address, "lua", "echo", id)
            end
        end
        skynet.error "through"
    end)
end)

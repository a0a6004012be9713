--- A service that says who it is; no test by itself.

local skynet = require "skynet"

skynet.start(function()
    skynet.dispatch("lua", function()
        skynet.retpack("other", skynet.self())
    end)
end)

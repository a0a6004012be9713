local skynet = require "skynet"

skynet.start(function()
    skynet.dispatch("lua", function(_, _, _, n)
        skynet.retpack(n + 1)
    end)
end)

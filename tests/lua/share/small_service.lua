--- A service that only answers. Its argument is its number.

local skynet = require "skynet"

local own = tonumber((...))

local command = {}

function command.double(number)
    assert(number == own, "meant for another one")
    return 2 * number
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        skynet.retpack(command[name](...))
    end)
end)

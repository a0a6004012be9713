local skynet = require "skynet"

local command = {}

function command.echo(...)
    return ...
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        skynet.retpack(command[name](...))
    end)
end)

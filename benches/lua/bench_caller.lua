local skynet = require "skynet"

local count = 0
local command = {}

function command.start(_, _, answerer)
    while true do
        count = skynet.call(answerer, "lua", "add", count)
    end
end

function command.count()
    skynet.retpack(count, skynet.hpc())
end

skynet.start(function()
    skynet.dispatch("lua", function(session, source, name, ...)
        command[name](session, source, ...)
    end)
end)

--- Answers with what it gets in upper case. Every node of a network knows it by its name.

local skynet = require "skynet.manager"

skynet.start(function()
    skynet.dispatch("lua", function(_, _, text)
        skynet.retpack(text:upper())
    end)
    skynet.register "globalluamsg"
end)

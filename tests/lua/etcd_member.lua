--- Stands for clusterd: launches clusteretcd and logs what it says about names.

local skynet = require "skynet"

skynet.start(function()
    skynet.dispatch("lua", function(_, _, command, names)
        assert(command == "reload", command)
        for name, address in pairs(names) do
            skynet.error(("<%s=%s>"):format(name, address))
        end
        skynet.ret()
    end)
    local service = skynet.newservice("clusteretcd", skynet.self())
    assert(type(skynet.call(service, "debug", "INFO")) == "table")
    skynet.send(service, "lua", "listening")
    skynet.error "started"
end)

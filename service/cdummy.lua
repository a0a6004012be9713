--- Stands in for cslave on a node that belongs to no network: keeps the global names, all of them its own.

local skynet = require "skynet"
local slave = require "skynet.slave"

local command = {}

function command.REGISTER(name, handle)
    slave.check_free(name)
    slave.set_name(name, handle)
    -- The harbor learns where messages to this name go.
    slave.tell_name(name)
end

function command.QUERYNAME(name)
    if not slave.answer_owner(name) then
        slave.want(name, skynet.response())
    end
end

--- The link to a node that does not exist is down at once.
function command.LINK()
    skynet.ret()
end

--- Would never be answered: so the call fails.
function command.CONNECT()
    skynet.error "Can't connect to other harbor in single node mode"
    skynet.response()(false)
end

skynet.start(function()
    assert(tonumber(skynet.getenv "harbor") == 0, "cdummy is for nodes with harbor = 0")
    -- What the harbor reports is about other nodes.
    slave.dispatch(command, function() end)
    slave.launch_harbor(0)
end)

--- Accepts connections and hands them to agents in turn.

local skynet = require "skynet"
local socket = require "skynet.socket"

skynet.start(function()
    local agents = {}
    for i = 1, math.tointeger(skynet.getenv "web_agents") or 1 do
        agents[i] = skynet.newservice "web/agent"
    end
    local host = skynet.getenv "web_address"
    local listener, _, port = socket.listen(host, math.tointeger(skynet.getenv "web_port"))
    local turn = 0
    socket.start(listener, function(id, from)
        turn = turn % #agents + 1
        skynet.send(agents[turn], "lua", id, from)
    end)
    skynet.error(("Web server: http://%s:%d/"):format(host, port))
end)

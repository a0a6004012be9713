local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"

local count = 0
local command = {}

function command.start(port, size)
    local id = assert(socket.open("127.0.0.1", port))
    driver.nodelay(id)
    skynet.retpack(true)
    local payload = ("x"):rep(size)
    while true do
        socket.write(id, payload)
        if socket.read(id, size) ~= payload then
            error "what comes back is not what was sent"
        end
        count = count + 1
    end
end

function command.count()
    skynet.retpack(count, skynet.hpc())
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        command[name](...)
    end)
end)

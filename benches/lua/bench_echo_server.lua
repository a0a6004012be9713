local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"

local function serve(id)
    socket.start(id)
    driver.nodelay(id)
    while true do
        local some = socket.read(id)
        if not some then
            break
        end
        socket.write(id, some)
    end
    socket.close(id)
end

skynet.start(function()
    skynet.dispatch("lua", function()
        local id, _, port = socket.listen("127.0.0.1", 0, 128)
        socket.start(id, serve)
        skynet.retpack(port)
    end)
end)

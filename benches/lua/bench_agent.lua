-- Answers one client's requests.

local skynet = require "skynet"
local socket = require "skynet.socket"
local sprotoloader = require "sprotoloader"

local host = sprotoloader.load():host()

local function answer(fd, _, kind, _, arguments, respond)
    skynet.ignoreret() -- the session is the fd
    assert(kind == "REQUEST")
    local message = respond {
        unit = arguments.unit,
        at = arguments.to,
        text = arguments.text,
    }
    socket.write(fd, string.pack(">s2", message))
end

skynet.register_protocol {
    name = "client",
    id = skynet.PTYPE_CLIENT,
    unpack = function(msg, sz)
        return host:dispatch(msg, sz)
    end,
    dispatch = answer,
}

skynet.start(function()
    skynet.dispatch("lua", function(_, _, _, gate, fd)
        skynet.call(gate, "lua", "forward", fd)
    end)
end)

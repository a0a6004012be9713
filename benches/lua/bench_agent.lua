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

local function decode(message, size)
    return host:dispatch(message, size)
end

skynet.register_protocol {
    id = skynet.PTYPE_CLIENT,
    name = "client",
    unpack = decode,
    dispatch = answer,
}

skynet.start(function()
    skynet.dispatch("lua", function(_, _, _, gate, fd)
        skynet.call(gate, "lua", "forward", fd)
    end)
end)

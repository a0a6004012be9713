--- Stands between a debug console and the service that it debugs: holds one end of the debug channel. One for each
--- session; it ends with it.

local skynet = require "skynet"
local debugchannel = require "skynet.debugchannel"

--- How long a service may take to let the debugger go. One that is gone, or is no Lua service, never does. Centiseconds.
local PATIENCE <const> = 300
local FAILED <const> = "Debugger attach failed"

local channel, handle = debugchannel.create()
local answer

local function finish(...)
    if answer then
        answer(true, ...)
    end
    skynet.exit()
end

local command = {}

--- Answers when the session is over: true, or false and why it has failed.
---@param address integer
---@param fd integer  socket of the console
function command.start(address, fd)
    assert(not answer, "start more than once")
    answer = skynet.response()
    skynet.error(("Attach to %s"):format(skynet.address(address)))
    if pcall(skynet.call, address, "debug", "REMOTEDEBUG", fd, handle) then
        finish(true)
    else
        finish(false, FAILED)
    end
end

--- A line for the debugger.
---@param line string
function command.cmd(line)
    channel:write(line)
    if line == "cont" then
        skynet.timeout(PATIENCE, function()
            finish(false, FAILED)
        end)
    end
end

--- Fails when the session is over.
function command.ping()
    skynet.ret()
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        local run = command[name]
        if not run then
            error("unknown command " .. tostring(name))
        end
        run(...)
    end)
end)

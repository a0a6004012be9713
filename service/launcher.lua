--- Launches services, knows all that run, and asks them how they are.

local skynet = require "skynet.manager"
local core = require "skynet.core"

--- handle -> module and arguments of every service that runs
local services = {}
--- handle -> { answer = closure for who launches it, session = the launch request's } while it starts
local starting = {}

local command = {}

-- What a command returns that answers by itself, later or never.
local LATER <const> = {}

-- A service is started, or will never be: tells who launched it.
local function settle(handle, ...)
    local launch = starting[handle]
    if launch then
        starting[handle] = nil
        launch.answer(...)
    end
end

local function launch(module, ...)
    local args = table.concat({ ... }, " ")
    local handle = skynet.launch(module, args)
    local session = skynet.context()
    local answer = skynet.response()
    if not handle then
        answer(false)
        return
    end
    services[handle] = module .. " " .. args
    starting[handle] = { answer = answer, session = session }
    return handle
end

function command.LAUNCH(_, module, ...)
    launch(module, ...)
    return LATER
end

--- As LAUNCH, and from its start on the service's messages are logged into a file.
function command.LOGLAUNCH(_, module, ...)
    local handle = launch(module, ...)
    if handle then
        core.command("LOGON", skynet.address(handle))
    end
    return LATER
end

--- From a service that has started.
function command.LAUNCHOK(handle)
    settle(handle, true, handle)
    return LATER
end

--- From a service that could not start, or from snlua in its name.
function command.ERROR(handle)
    services[handle] = nil
    settle(handle, false)
    return LATER
end

--- A service exits by itself (a launch that waits for it gets nil) or is killed (the launch fails).
function command.REMOVE(_, handle, killed)
    services[handle] = nil
    settle(handle, not killed)
    return LATER
end

--- Which service is being launched by the request of that session.
function command.QUERY(_, session)
    for handle, launching in pairs(starting) do
        if launching.session == session then
            return handle
        end
    end
end

function command.KILL(_, handle)
    local what = tostring(services[handle])
    services[handle] = nil
    skynet.kill(handle)
    return { [skynet.address(handle)] = what }
end

function command.LIST()
    local list = {}
    for handle, what in pairs(services) do
        list[skynet.address(handle)] = what
    end
    return list
end

-- Asks all services for a debug command's result and shows each with `show(result, handle)`. The result of those that
-- fail is "ERROR", of those that are too late "TIMEOUT".
local function ask_all(timeout, show, ...)
    local list = {}
    local requests = skynet.request()
    for handle in pairs(services) do
        list[skynet.address(handle)] = show("TIMEOUT", handle)
        requests:add { handle, "debug", ... }
    end
    for request, response in requests:select(timeout) do
        local handle = request[1]
        local result = "ERROR"
        if response then
            result = response[1]
        end
        list[skynet.address(handle)] = show(result, handle)
    end
    return list
end

--- Task count, mailbox length, CPU time and messages of every service.
---@param timeout? integer  in centiseconds
function command.STAT(_, timeout)
    return ask_all(timeout, function(stat)
        return stat
    end, "STAT")
end

function command.MEM(_, timeout)
    return ask_all(timeout, function(size, handle)
        if type(size) == "number" then
            size = ("%.2f Kb"):format(size)
        end
        return ("%s (%s)"):format(size, services[handle])
    end, "MEM")
end

function command.GC(source, timeout)
    for handle in pairs(services) do
        skynet.send(handle, "debug", "GC")
    end
    return command.MEM(source, timeout)
end

skynet.dispatch("lua", function(_, source, name, ...)
    local run = command[name:upper()]
    if not run then
        skynet.retpack { "Unknown command" }
        return
    end
    local result = run(source, ...)
    if result ~= LATER then
        skynet.retpack(result)
    end
end)

-- C services report in text: nothing when they have started, or ERROR.
skynet.register_protocol {
    name = "text",
    id = skynet.PTYPE_TEXT,
    unpack = skynet.tostring,
    dispatch = function(_, source, text)
        if text == "" then
            command.LAUNCHOK(source)
        elseif text == "ERROR" then
            command.ERROR(source)
        else
            error("Invalid text command " .. text)
        end
    end,
}

skynet.start(function() end)

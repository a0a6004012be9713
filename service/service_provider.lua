--- Keeps the services that skynet.service makes from functions. Each runs in a service_cell.

local skynet = require "skynet"

---@class provided
---@field handle integer|nil
---@field failure string|nil    why it could not be made
---@field starting boolean|nil
---@field waiting function[]    answers to those who want to know its handle
---@field args string|nil       what it was started with
---@field time number|nil       when

---@type table<string, provided>
local services = {}

local function find(name)
    local service = services[name]
    if not service then
        service = { waiting = {} }
        services[name] = service
    end
    return service
end

local function settle(service, ok, ...)
    local waiting = service.waiting
    service.waiting = {}
    for _, answer in ipairs(waiting) do
        answer(ok, ...)
    end
end

local function start_cell(name, code, ...)
    local cell = skynet.newservice("service_cell", name)
    local ok, err = pcall(skynet.call, cell, "lua", "init", code, ...)
    if not ok then
        skynet.send(cell, "debug", "EXIT")
        error(err, 0)
    end
    return cell
end

local function args_text(...)
    local args = table.pack(...)
    if args.n == 0 then
        return
    end
    for i = 1, args.n do
        args[i] = tostring(args[i])
    end
    return table.concat(args, ",")
end

local command = {}

--- The handle, or nothing and whether the service is starting.
function command.test(name)
    local service = find(name)
    if service.starting then
        skynet.retpack(nil, true)
    elseif service.handle then
        skynet.retpack(service.handle)
    elseif service.failure then
        error(service.failure, 0)
    else
        skynet.ret()
    end
end

--- The handle, once the service is there.
function command.query(name)
    local service = find(name)
    if service.handle then
        skynet.retpack(service.handle)
    elseif service.failure then
        error(service.failure, 0)
    else
        table.insert(service.waiting, skynet.response())
    end
end

function command.launch(name, code, ...)
    local service = find(name)
    if service.handle then
        skynet.retpack(service.handle)
        return
    end
    if service.starting then
        table.insert(service.waiting, skynet.response())
        return
    end
    service.starting = true
    local ok, result = pcall(start_cell, name, code, ...)
    service.starting = nil
    if not ok then
        service.failure = result
        settle(service, false)
        error(result, 0)
    end
    service.handle = result
    service.args = args_text(...)
    service.time = skynet.time()
    settle(service, true, result)
    skynet.retpack(result)
end

--- Forgets a service and gives its handle, for the caller to kill it.
function command.close(name)
    local service = services[name]
    if not service or service.starting then
        skynet.retpack(nil)
        return
    end
    services[name] = nil
    -- Whoever waited for a service that was never made.
    settle(service, false)
    skynet.retpack(service.handle)
end

local function status(service)
    if service.starting then
        return "booting"
    elseif #service.waiting > 0 then
        return ("waiting(%d)"):format(#service.waiting)
    end
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        command[name](...)
    end)
    skynet.info_func(function()
        local shown = {}
        for name, service in pairs(services) do
            shown[skynet.address(service.handle or name)] = {
                name = name,
                init = service.args,
                time = service.time and os.date("%Y %b %d %T %z", math.floor(service.time)),
                status = status(service),
            }
        end
        return shown
    end)
end)

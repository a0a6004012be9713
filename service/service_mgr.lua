--- Unique services: one of a name in this node or, for names with @ in front, in the network. A network's global ones
--- are kept by its master's manager, which is named SERVICE; the others ask it and remember what it said.

local skynet = require "skynet.manager"

---@class entry
---@field handle integer|nil
---@field failure string|nil       why it could not be launched; it is not tried again
---@field launch table|nil         { co, session, source } of the request that launches it now
---@field [integer] table          the requests that wait: { co, session, source }

---@type table<string, entry>
local entries = {}

local function find(name)
    local entry = entries[name]
    if not entry then
        entry = {}
        entries[name] = entry
    end
    return entry
end

local function this_request()
    local session, source = skynet.context()
    return { co = coroutine.running(), session = session, source = source }
end

-- The service, or an error, for everybody who waited until now.
local function settle(entry, ok, handle)
    entry.launch = nil
    if ok and math.type(handle) == "integer" then
        entry.handle = handle
    else
        entry.failure = tostring(handle)
    end
    for i, request in ipairs(entry) do
        entry[i] = nil
        skynet.wakeup(request.co)
    end
end

-- The handle of a unique service. `launch(...)` makes it; without `launch` one waits until somebody else does.
local function obtain(name, launch, ...)
    local entry = find(name)
    if not entry.handle and not entry.failure then
        if launch and not entry.launch then
            entry.launch = this_request()
            settle(entry, pcall(launch, ...))
        else
            local request = this_request()
            table.insert(entry, request)
            skynet.wait(request.co)
        end
    end
    if entry.failure then
        error(entry.failure, 0)
    end
    return entry.handle
end

-- snax services share the module snaxd: what is unique is the name after it.
local function full_name(name, sub)
    if name == "snaxd" or name == "@snaxd" then
        return name .. "." .. sub
    end
    return name
end

local command = {}

function command.LAUNCH(name, ...)
    local module = name:gsub("^@", "")
    if module == "snaxd" then
        local sub = ...
        return obtain(full_name(name, sub), require "skynet.snax".rawnewservice, ...)
    end
    return obtain(name, skynet.newservice, module, ...)
end

function command.QUERY(name, sub)
    return obtain(full_name(name, sub))
end

-- For LIST: who waits for a service, and where; `address` shows what is asked of it.
local function show_request(lines, request)
    local place = skynet.call(request.source, "debug", "TASK", request.session)
    table.insert(lines, skynet.address(request.source) .. " " .. tostring(place))
end

local function show(entry)
    if entry.handle then
        return skynet.address(entry.handle)
    elseif entry.failure then
        return "Error: " .. entry.failure
    end
    local lines = {}
    local launch = entry.launch
    if launch then
        local handle = skynet.call(".launcher", "lua", "QUERY", skynet.task(launch.co))
        if handle then
            table.insert(lines, "Init as " .. skynet.address(handle))
            table.insert(lines, tostring(skynet.call(handle, "debug", "TASK", "init")))
        end
        table.insert(lines, "Launching from")
        show_request(lines, launch)
    end
    if #entry > 0 then
        table.insert(lines, "Querying:")
        for _, request in ipairs { table.unpack(entry) } do
            show_request(lines, request)
        end
    end
    return table.concat(lines, "\n")
end

local function list()
    local result = {}
    for name, entry in pairs(entries) do
        local ok, text = pcall(show, entry)
        result[name] = ok and text or "Error: " .. tostring(text)
    end
    return result
end

local function serve_network()
    --- handles of the other nodes' managers
    local others = {}

    function command.REPORT(manager)
        others[manager] = true
    end

    function command.GLAUNCH(name, ...)
        return command.LAUNCH("@" .. name, ...)
    end

    function command.GQUERY(name, ...)
        return command.QUERY("@" .. name, ...)
    end

    function command.LIST()
        local result = {}
        for manager in pairs(others) do
            local ok, theirs = pcall(skynet.call, manager, "lua", "LIST")
            if ok then
                local suffix = "@" .. skynet.harbor(manager)
                for name, text in pairs(theirs) do
                    result[name .. suffix] = text
                end
            end
        end
        for name, text in pairs(list()) do
            result[name] = text
        end
        return result
    end
end

local function join_network()
    local function ask_master(what)
        return function(name, ...)
            local global = "@" .. name
            local sub = ...
            return obtain(full_name(global, sub), function(...)
                local handle, err = skynet.call("SERVICE", "lua", ...)
                return handle or error(err, 0)
            end, what, global, ...)
        end
    end
    command.GLAUNCH = ask_master "LAUNCH"
    command.GQUERY = ask_master "QUERY"
    command.LIST = list

    skynet.call("SERVICE", "lua", "REPORT", skynet.self())
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        local run = command[name]
        if not run then
            skynet.retpack(nil, "Invalid command " .. tostring(name))
            return
        end
        local ok, result = pcall(run, ...)
        if ok then
            skynet.retpack(result)
        else
            skynet.retpack(nil, result)
        end
    end)

    local present = skynet.localname ".service"
    if present then
        skynet.error(".service is already register by", skynet.address(present))
        skynet.exit()
    end
    skynet.register ".service"
    if skynet.getenv "standalone" then
        skynet.register "SERVICE"
        serve_network()
    else
        join_network()
    end
end)

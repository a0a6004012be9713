--- What the services that may be .cslave have in common: cslave in a network, cdummy on a node without one. They keep
--- the global names, launch the harbor service and tell it what it has to know.

local skynet = require "skynet.manager"

local slave = {}

--- name -> handle
local names = {}
--- name -> answers that wait for it
local wanted = {}

local harbor

local function as_is(...)
    return ...
end

for name, id in pairs { harbor = skynet.PTYPE_HARBOR, text = skynet.PTYPE_TEXT } do
    skynet.register_protocol { name = name, id = id, pack = as_is, unpack = skynet.tostring }
end

--- Launches the harbor service.
---@param id integer  this node's number
function slave.launch_harbor(id)
    harbor = assert(skynet.launch("harbor", id, skynet.self()))
end

--- Sends the harbor a command.
---@param text string  for string.format, with what follows
function slave.tell_harbor(text, ...)
    skynet.send(harbor, "harbor", text:format(...))
end

--- Tells the harbor who has a name, in the name of that service.
---@param name string
function slave.tell_name(name)
    skynet.redirect(harbor, names[name], "harbor", 0, "N " .. name)
end

--- Tells the harbor all names.
function slave.tell_names()
    for name in pairs(names) do
        slave.tell_name(name)
    end
end

--- The service that has a name.
---@return integer? handle
function slave.owner(name)
    return names[name]
end

--- Raises an error if somebody has the name.
---@param name string
function slave.check_free(name)
    if names[name] then
        error(("global name %s is taken by %s"):format(name, skynet.address(names[name])), 2)
    end
end

--- Gives a name to a service, and answers those who wait for it.
---@param name string
---@param handle integer
function slave.set_name(name, handle)
    names[name] = handle
    local waiting = wanted[name] or {}
    wanted[name] = nil
    for _, answer in ipairs(waiting) do
        answer(true, handle)
    end
end

--- Notes that a name is wanted.
---@param name string
---@param answer? function  to be called when somebody has it: the result of skynet.response
---@return boolean ask  no other answer waits for it: the master is to be asked
function slave.want(name, answer)
    local waiting = wanted[name] or {}
    wanted[name] = waiting
    if answer then
        table.insert(waiting, answer)
    end
    return #waiting == 1
end

--- Ends the waiting for names: nobody will have them. Those who asked get an error, and so do messages in the harbor.
function slave.give_up_names()
    local all = wanted
    wanted = {}
    for name, waiting in pairs(all) do
        for _, answer in ipairs(waiting) do
            answer(false)
        end
        slave.tell_harbor("F %s", name)
    end
end

--- Answers whoever asks who has a name, if that is known.
---@param name string
---@return boolean answered
function slave.answer_owner(name)
    if name:sub(1, 1) == "." then
        skynet.retpack(skynet.localname(name))
    elseif names[name] then
        skynet.retpack(names[name])
    else
        return false
    end
    return true
end

--- Begins to take commands of services, and reports of the harbor.
---@param command table<string, function>
---@param on_report fun(report: string)
function slave.dispatch(command, on_report)
    skynet.dispatch("lua", function(_, _, name, ...)
        local run = command[name]
        if not run then
            error("unknown harbor command " .. tostring(name))
        end
        run(...)
    end)
    skynet.dispatch("text", function(_, _, report)
        on_report(report)
    end)
end

return slave

--- Stands in for cslave on a node that belongs to no network: keeps the global names, all of them its own.

local skynet = require "skynet.manager"

--- name -> handle
local registered = {}
--- name -> answers that wait for it
local wanted = {}
local harbor

local function as_is(...)
    return ...
end

for name, id in pairs { harbor = skynet.PTYPE_HARBOR, text = skynet.PTYPE_TEXT } do
    skynet.register_protocol { name = name, id = id, pack = as_is, unpack = skynet.tostring }
end

local command = {}

function command.REGISTER(name, handle)
    if registered[name] then
        error(("global name %s is taken by %s"):format(name, skynet.address(registered[name])))
    end
    registered[name] = handle
    local waiting = wanted[name] or {}
    wanted[name] = nil
    for _, answer in ipairs(waiting) do
        answer(true, handle)
    end
    -- The harbor learns where messages to this name go.
    skynet.redirect(harbor, handle, "harbor", 0, "N " .. name)
end

function command.QUERYNAME(name)
    if name:sub(1, 1) == "." then
        skynet.retpack(skynet.localname(name))
    elseif registered[name] then
        skynet.retpack(registered[name])
    else
        local waiting = wanted[name] or {}
        wanted[name] = waiting
        table.insert(waiting, skynet.response())
    end
end

--- The link to a node that does not exist is down at once.
function command.LINK()
    skynet.ret()
end

--- Would never be answered: so the call fails.
function command.CONNECT()
    skynet.error "Can't connect to other harbor in single node mode"
    skynet.response()(false)
end

skynet.start(function()
    assert(tonumber(skynet.getenv "harbor") == 0, "cdummy is for nodes with harbor = 0")
    skynet.dispatch("lua", function(_, _, name, ...)
        local run = command[name]
        if not run then
            error("unknown harbor command " .. tostring(name))
        end
        run(...)
    end)
    -- Reports of the harbor about other nodes.
    skynet.dispatch("text", function() end)
    harbor = assert(skynet.launch("harbor", 0, skynet.self()))
end)

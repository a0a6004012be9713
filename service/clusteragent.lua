--- A connection from another node: hands its requests to the services here, and sends the answers back.
---
--- A gate reads the connection, and passes each frame on as a `client` message. The agent ends when clusterd says that
--- the connection has closed.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local keepalive = require "skynet.keepalive"
local core = require "skynet.cluster.core"
local link = require "skynet.cluster.link"

local isname = core.isname
local callback = require "skynet.core".callback
local dispatch_message = skynet.dispatch_message
local respond = link.respond
local rawcall = skynet.rawcall

local clusterd, gate, fd = ...
clusterd, gate, fd = tonumber(clusterd), tonumber(gate), tonumber(fd)

--- `@name` -> its handle, or the tasks that wait for it
local handles = {}

-- The handle that a name was registered with; nil if it was not.
local function find(name)
    local known = handles
    local handle = known[name]
    if not handle then
        local query = {}
        known[name] = query
        local ok, found = pcall(skynet.call, clusterd, "lua", "queryname", name:sub(2))
        query.handle = ok and found or nil
        known[name] = query.handle
        for _, token in ipairs(query) do
            skynet.wakeup(token)
        end
        return query.handle
    elseif type(handle) == "table" then
        local token = {}
        handle[#handle + 1] = token
        skynet.wait(token)
        return handle.handle
    end
    return handle
end

local refused = false

-- The other side does not speak the protocol. What it has sent already is passed over.
local function refuse(reason)
    if not refused then
        refused = true
        link.flush()
        skynet.error(("cluster: closes connection %d : %s"):format(fd, reason))
        -- Not by the gate: it would log all that is on its way to it. It hears of the end behind that.
        driver.shutdown(fd)
    end
end

-- Somebody asks which handle a name has.
local function answer_query(session, msg, sz)
    local ok, name = pcall(skynet.unpack, msg, sz)
    skynet.trash(msg, sz)
    if not ok or type(name) ~= "string" then
        refuse "query without a name"
        return
    end
    local handle = find("@" .. name)
    if handle then
        respond(fd, session, true, skynet.packstring(handle))
    else
        respond(fd, session, false, "name not found")
    end
end

-- What is left to do when there is no request.
local function on_fault(address, what)
    if address == false then
        respond(fd, what, false, "Invalid large req")
    elseif what then
        refuse(what)
    end
end

local function on_request(_, _, address, session, push, tag, msg, sz)
    skynet.ignoreret()
    if not address then
        return on_fault(address, session)
    elseif refused then
        return skynet.trash(msg, sz)
    elseif address == 0 then
        return answer_query(session, msg, sz)
    elseif isname(address) then
        address = find(address)
        if not address then
            skynet.trash(msg, sz)
            if not push then
                respond(fd, session, false, "Invalid name")
            end
            return
        end
    end
    if push then
        skynet.rawsend(address, "lua", msg, sz)
    elseif tag then
        respond(fd, session, pcall(skynet.tracecall, tag, address, "lua", msg, sz))
    else
        respond(fd, session, pcall(rawcall, address, "lua", msg, sz))
    end
end

skynet.register_protocol {
    name = "client",
    id = skynet.PTYPE_CLIENT,
    unpack = link.requests(skynet.getenv "cluster_limit"),
    dispatch = on_request,
}

local command = {}

function command.exit()
    driver.close(fd)
    skynet.exit()
end

--- A name has another handle now.
function command.namechange()
    handles = {}
end

skynet.start(function()
    -- The connection may have closed already.
    pcall(skynet.call, gate, "lua", "forward", fd)
    keepalive.watch(fd)
    skynet.dispatch("lua", function(_, source, name)
        local run = command[name]
        if run then
            run()
        else
            skynet.error(("Invalid command %s from %s"):format(name, skynet.address(source)))
        end
    end)
end)

-- Frames wait for those that the messages in the mailbox will bring.
local frames = link.together()
callback(function(...)
    local _ <close> = frames
    dispatch_message(...)
end)

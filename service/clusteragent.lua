--- A connection from another node: hands its requests to the services here, and sends the answers back.
---
--- A gate reads the connection, and passes each frame on as a `client` message. The agent ends when clusterd says that
--- the connection has closed.

local skynet = require "skynet"
local socket = require "skynet.socket"
local keepalive = require "skynet.keepalive"
local core = require "skynet.cluster.core"

local clusterd, gate, fd = ...
clusterd, gate, fd = tonumber(clusterd), tonumber(gate), tonumber(fd)

--- `@name` -> its handle, or the tasks that wait for it
local handles = {}

local function find(name)
    local known = handles
    local handle = known[name]
    if math.type(handle) then
        return handle
    end
    if handle then
        local token = {}
        handle[#handle + 1] = token
        skynet.wait(token)
        return handle.handle
    end
    local query = {}
    known[name] = query
    local ok, found = pcall(skynet.call, clusterd, "lua", "queryname", name:sub(2))
    query.handle = ok and found or nil
    known[name] = query.handle
    for _, token in ipairs(query) do
        skynet.wakeup(token)
    end
    return query.handle
end

local function respond(session, ok, msg, sz)
    local response = core.packresponse(session, ok, msg, sz)
    if type(response) == "table" then
        for _, part in ipairs(response) do
            socket.lwrite(fd, part)
        end
    else
        socket.write(fd, response)
    end
end

local function query(session, msg, sz)
    local name = skynet.unpack(msg, sz)
    skynet.trash(msg, sz)
    local handle = find("@" .. name)
    if handle then
        respond(session, true, skynet.packstring(handle))
    else
        respond(session, false, "name not found")
    end
end

local large = {}
local tag

local function on_request(_, _, address, session, msg, sz, padding, push)
    skynet.ignoreret()
    if not session then
        tag = address
        return
    end
    local trace = tag
    tag = nil
    if padding then
        local request = large[session] or { address = address, push = push, tag = trace }
        large[session] = request
        core.append(request, msg, sz)
        return
    end
    local request = large[session]
    if request then
        large[session] = nil
        core.append(request, msg, sz)
        msg, sz = core.concat(request)
        address, push, trace = request.address, request.push, request.tag
        if not msg then
            respond(session, false, "Invalid large req")
            return
        end
    end
    if address == 0 then
        query(session, msg, sz)
        return
    end
    if core.isname(address) then
        address = find(address)
        if not address then
            skynet.trash(msg, sz)
            respond(session, false, "Invalid name")
            return
        end
    end
    if push then
        skynet.rawsend(address, "lua", msg, sz)
    elseif trace then
        respond(session, pcall(skynet.tracecall, trace, address, "lua", msg, sz))
    else
        respond(session, pcall(skynet.rawcall, address, "lua", msg, sz))
    end
end

skynet.register_protocol {
    name = "client",
    id = skynet.PTYPE_CLIENT,
    unpack = core.unpackrequest,
    dispatch = on_request,
}

local command = {}

function command.exit()
    socket.close_fd(fd)
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

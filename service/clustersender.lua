--- The connection to another node, for the services of this one.
local skynet = require "skynet"
local socketchannel = require "skynet.socketchannel"
local socket = require "skynet.socket"
local keepalive = require "skynet.keepalive"
local core = require "skynet.cluster.core"

local node, this_node, host, port = ...
local session = 1

local channel = socketchannel.channel {
    host = host,
    port = tonumber(port),
    nodelay = true,
    keepalive = keepalive.SECONDS,
    response = function(so)
        return core.unpackresponse(so:read(socket.header(so:read(2))))
    end,
}

local command = {}

local function request(address, msg, sz)
    local mine = session
    local frame, next_session, padding = core.packrequest(address, session, msg, sz)
    session = next_session
    local tag = skynet.tracetag()
    if tag then
        if tag:sub(1, 1) ~= "(" then
            local full = ("(%s-%s-%d)%s"):format(this_node, node, session, tag)
            skynet.tracelog(tag, ("session %s"):format(full))
            tag = full
        end
        skynet.tracelog(tag, ("cluster %s"):format(node))
        channel:request(core.packtrace(tag))
    end
    return channel:request(frame, mine, padding)
end

function command.req(...)
    local ok, answer = pcall(request, ...)
    if not ok then
        skynet.error(answer)
        skynet.response()(false)
    elseif type(answer) == "table" then
        skynet.ret(core.concat(answer))
    else
        skynet.ret(answer)
    end
end

function command.push(address, msg, sz)
    local frame, next_session, padding = core.packpush(address, session, msg, sz)
    if padding then
        session = next_session
    end
    channel:request(frame, nil, padding)
end

function command.changenode(address, number)
    if address then
        channel:changehost(address, number)
        channel:connect(true)
    else
        skynet.error("Close cluster sender", channel.__host, channel.__port)
        channel:close()
    end
    skynet.retpack(nil)
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        local run = assert(command[name], "no such command")
        run(...)
    end)
end)

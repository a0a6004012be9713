--- The connection to another node: sends the requests of this one's services there, and hands them the answers.
---
--- What lives and dies. The connection is made by clusterd's command, or by a request that finds none, and tried once.
--- A request is kept from its sending to its answer; when the connection ends, all that are kept fail. None is sent
--- again. The answers are passed on by their blocks, without a task that waits for each.

local skynet = require "skynet"
local driver = require "skynet.socketdriver"
local keepalive = require "skynet.keepalive"
local netpack = require "skynet.netpack"
local core = require "skynet.core"
local link = require "skynet.cluster.link"

local format = string.format
local csend = core.send
local dispatch_message = skynet.dispatch_message
local send_request = link.request
local filter = netpack.filter

--- The reason of requests that fail because the connection does.
local LOST <const> = "[Error: socket]"

local PTYPE_RESPONSE <const> = skynet.PTYPE_RESPONSE
local PTYPE_ERROR <const> = skynet.PTYPE_ERROR

local node, this_node, host, port = ...
port = tonumber(port)

-- One that is none is an error here, and not when there is a connection and somebody waits.
local limit = skynet.getenv "cluster_limit"
link.responses(limit)

--- The socket, while there is one; `usable` once it is connected.
local fd
local usable = false

--- Whether clusterd has said that the node is down.
local down = false

--- Those who wait until it is known whether there is a connection.
local waiting

--- Reads the answers of the connection.
local read_response

local LAST_SESSION <const> = 0x7fffffff

--- The session of the next request.
local next_session = 1

--- session -> who asked
---@type table<integer, integer>
local askers = {}

--- session -> the session that the asker waits with, 0 if it does not; or the token of a task here that waits
---@type table<integer, integer|table>
local asked = {}

--------------------------------------------------------------------------------
-- Answers

-- Gives a request its answer, a message, or nothing if it has failed.
local function settle(session, msg, sz)
    local asker, theirs = askers[session], asked[session]
    askers[session], asked[session] = nil, nil
    if type(theirs) == "table" then
        theirs.msg, theirs.sz = msg, sz
        skynet.wakeup(theirs)
    elseif theirs == 0 then
        skynet.trash(msg, sz)
    elseif not msg or csend(asker, PTYPE_RESPONSE, theirs, msg, sz) == false then
        csend(asker, PTYPE_ERROR, theirs, "")
    end
end

-- Ends the connection, and all that waits for answers from it.
local function drop(reason)
    link.flush()
    driver.close(fd)
    fd, usable, read_response = nil, false, nil
    local sessions = {}
    for session in pairs(asked) do
        sessions[#sessions + 1] = session
    end
    table.sort(sessions)
    for _, session in ipairs(sessions) do
        skynet.error(reason)
        settle(session)
    end
end

-- What is left to do when there is no answer.
local function on_fault(session, what)
    if session == false then
        if asked[what] then
            skynet.error "cluster: long response of a wrong size"
            settle(what)
        end
    elseif what then
        skynet.error(format("cluster: closes connection to [%s] : %s", node, what))
        drop(LOST)
    end
end

local function deliver(session, ok, msg, sz)
    if not session then
        on_fault(session, ok)
    elseif not asked[session] then
        skynet.trash(msg, sz)
        skynet.error("cluster: unknown session :", session)
    elseif ok then
        settle(session, msg, sz)
    else
        skynet.error(skynet.tostring(msg, sz))
        skynet.trash(msg, sz)
        settle(session)
    end
end

--------------------------------------------------------------------------------
-- The connection

-- Tells those who wait whether there is a connection.
local function connected(ok)
    usable = ok
    local tokens = waiting
    waiting = nil
    for _, token in ipairs(tokens or {}) do
        skynet.wakeup(token)
    end
end

local on = {}

function on.data(id, msg, sz)
    if id == fd then
        deliver(read_response(msg, sz))
    else
        -- Of a connection before.
        skynet.trash(msg, sz)
    end
end

local queue

function on.more()
    for id, msg, sz in netpack.pop, queue do
        on.data(id, msg, sz)
    end
end

function on.init(id)
    if id == fd and waiting then
        driver.nodelay(id)
        read_response = link.responses(limit)
        connected(true)
    end
end

-- The connection has ended, or could not be made.
local function lost(id, reason)
    if id ~= fd then
        driver.close(id)
    elseif usable then
        drop(reason)
    else
        skynet.error("Connect failed", reason, host, port)
        driver.close(id)
        fd = nil
        connected(false)
    end
end

function on.close(id)
    lost(id, LOST)
end

function on.error(id, text)
    if id == fd and usable then
        skynet.error("socket: error on", id, text)
    end
    lost(id, text)
end

function on.warning(id, size)
    skynet.error(format("WARNING: %d K bytes need to send out (fd = %d)", size, id), host, port)
end

skynet.register_protocol {
    name = "socket",
    id = skynet.PTYPE_SOCKET,
    unpack = function(msg, sz)
        return filter(queue, msg, sz)
    end,
    dispatch = function(_, _, frames, event, ...)
        queue = frames
        if event then
            on[event](...)
        end
    end,
}

-- Begins to connect. Those who wait get to know how that ends.
local function dial()
    waiting = waiting or {}
    local ok, id = pcall(driver.connect, host, port)
    if ok then
        fd = id
        keepalive.watch(id)
    else
        skynet.error("Connect failed", id, host, port)
        connected(false)
    end
end

-- Whether there is a connection, after one attempt to make it.
local function connect()
    if usable or down then
        return usable
    end
    if not waiting then
        dial()
        if not waiting then
            return false
        end
    end
    local token = {}
    waiting[#waiting + 1] = token
    skynet.wait(token)
    return usable
end

-- Gives up the connection that there is, or that is being made.
local function disconnect(reason)
    if usable then
        drop(reason)
    elseif fd then
        driver.close(fd)
        fd = nil
    end
end

--------------------------------------------------------------------------------
-- Requests

-- The name by which a traced request goes on.
local function rename(tag)
    if tag:sub(1, 1) ~= "(" then
        -- The number is the one after the request's session.
        local whole = format("(%s-%s-%d)%s", this_node, node, next_session % LAST_SESSION + 1, tag)
        skynet.tracelog(tag, "session " .. whole)
        tag = whole
    end
    skynet.tracelog(tag, "cluster " .. node)
    return tag
end

-- Sends a request, and returns its session; or nothing, and the reason is in the log.
local function send(address, msg, sz, push)
    if not usable and not connect() then
        skynet.trash(msg, sz)
        skynet.error(down and format("cluster node [%s] is down", node) or LOST)
        return
    end
    local tag = not push and skynet.tracetag()
    local session = next_session
    local ok, sent, following = pcall(send_request, fd, address, session, msg, sz, push, tag and rename(tag))
    if not ok then
        skynet.error(sent)
        return
    end
    next_session = following
    if not sent then
        drop(LOST)
        skynet.error(LOST)
        return
    end
    return session, tag
end

local command = {}

--- A request: its answer, which is a message as it is, goes to who asks.
---@param address integer|string
---@param msg lightuserdata which is freed here
---@param sz integer
function command.req(address, msg, sz)
    local theirs, source = skynet.context()
    local session, tag = send(address, msg, sz, false)
    if not session then
        skynet.response()(false)
        return
    end
    askers[session] = source
    if not tag then
        asked[session] = theirs
        skynet.ignoreret()
        return
    end
    -- The trace shall tell when the answer comes, which it does of tasks.
    local token = {}
    asked[session] = token
    skynet.wait(token)
    if token.msg then
        skynet.ret(token.msg, token.sz)
    else
        skynet.response()(false)
    end
end

--- A request without an answer.
---@param address integer|string
---@param msg lightuserdata which is freed here
---@param sz integer
function command.push(address, msg, sz)
    send(address, msg, sz, true)
end

--- From clusterd: the node has another address, or with false none.
---@param address string|false
---@param number integer?
function command.changenode(address, number)
    if address then
        if not usable or address ~= host or number ~= port then
            host, port = address, number
            down = false
            disconnect "channel_closed"
            dial()
        end
        if not connect() then
            skynet.response()(false)
            return
        end
    else
        skynet.error("Close cluster sender", host, port)
        down = true
        disconnect "channel_closed"
        connected(false)
    end
    skynet.retpack(nil)
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        local run = assert(command[name], "no such command")
        run(...)
    end)
end)

-- Frames wait for those that the messages in the mailbox will bring.
local frames = link.together()
core.callback(function(...)
    local _ <close> = frames
    dispatch_message(...)
end)

--- The master of a harbor network: knows which slaves there are and who has a global name, and tells the slaves.
---
--- A slave is here from its handshake on. When it leaves, its number stays taken.

local skynet = require "skynet"
local socket = require "skynet.socket"
local keepalive = require "skynet.keepalive"
local package = require "skynet.harborpackage"

--- number -> { fd = its connection, or false when it has left, address = where it takes links, informed = it knows who
--- has left }
local slaves = {}
--- name -> handle
local names = {}

local function tell_all(...)
    local bytes = package.pack(...)
    local told = 0
    for _, slave in pairs(slaves) do
        if slave.fd then
            socket.write(slave.fd, bytes)
            told = told + 1
        end
    end
    return told
end

-- Takes in a slave. Nothing else runs between looking at the list and adding to it: of two slaves one is always told to
-- connect, and the other to wait for it.
local function greet(fd)
    local letter, id, address = package.read(fd)
    if letter ~= "H" then
        error("Invalid handshake type " .. tostring(letter), 0)
    elseif not package.is_id(id) then
        error("Invalid slave id " .. tostring(id), 0)
    elseif type(address) ~= "string" then
        error("Invalid slave address " .. tostring(address), 0)
    elseif slaves[id] then
        error(("Slave %d already register on %s"):format(id, slaves[id].address), 0)
    end
    local others = tell_all("C", id, address)
    socket.write(fd, package.pack("W", others))
    slaves[id] = { fd = fd, address = address }
    return id, address
end

local request = {}

--- The first who registers a name has it, but all are told of the latest.
function request.R(_, name, handle)
    if type(name) ~= "string" or math.type(handle) ~= "integer" then
        error("Invalid request", 0)
    end
    names[name] = names[name] or handle
    tell_all("N", name, handle)
end

--- A name that nobody has is answered when somebody registers it.
function request.Q(fd, name)
    local handle = names[name]
    if handle then
        socket.write(fd, package.pack("N", name, handle))
    end
end

-- Tells a slave who had left before it came: a name or a message may lead there. A slave that starts would take them for
-- some of those that it waits for; one that asks for something has started.
local function inform(slave)
    if slave.informed then
        return
    end
    slave.informed = true
    for id, other in pairs(slaves) do
        if not other.fd then
            socket.write(slave.fd, package.pack("D", id))
        end
    end
end

local function serve(fd, slave)
    while true do
        local letter, name, handle = package.read(fd)
        local run = request[letter]
        if run then
            inform(slave)
            run(fd, name, handle)
        else
            skynet.error("Invalid slave message type " .. tostring(letter))
        end
    end
end

local function accept(fd, from)
    skynet.error("connect from " .. from .. " " .. fd)
    socket.start(fd)
    keepalive.watch(fd)
    local ok, id, address = pcall(greet, fd)
    if not ok then
        skynet.error(("disconnect fd = %d, error = %s"):format(fd, id))
        socket.close(fd)
        return
    end
    skynet.error(("Harbor %d (fd=%d) report %s"):format(id, fd, address))
    local _, reason = pcall(serve, fd, slaves[id])
    if reason ~= "closed" then
        skynet.error(("disconnect fd = %d, error = %s"):format(fd, reason))
    end
    skynet.error("slave " .. id .. " is down")
    slaves[id].fd = false
    tell_all("D", id)
    socket.close(fd)
end

skynet.start(function()
    local address = skynet.getenv "standalone"
    skynet.error("master listen socket " .. tostring(address))
    socket.start(socket.listen(address), accept)
end)

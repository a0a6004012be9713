--- A node of a network in which something will go wrong. Each line of its standard input is something to do; it prints
--- what comes of it.
---
--- Keys of the config: `node` is its name. `nodes` has the cluster's, "name=address ..."; in a harbor they are numbers.

local skynet = require "skynet.manager"
local socket = require "skynet.socket"
local print = require "print_line"

local me = skynet.getenv "node"
local nodes = skynet.getenv "nodes"
local call, send

--- Messages have numbers, in their order.
local key = 0
local streaming

local function next_key()
    key = key + 1
    return key
end

--- Does something many times at once. `done` is told how often it went well, and how often not.
---@param count integer
---@param what function
---@param done fun(ok: integer, failed: integer)
local function many(count, what, done)
    local left, failed = count, 0
    for _ = 1, count do
        skynet.fork(function()
            if not pcall(what) then
                failed = failed + 1
            end
            left = left - 1
            if left == 0 then
                done(count - failed, failed)
            end
        end)
    end
end

local commands = {}

---Calls that wait for an answer that does not come.
---@param node string
---@param count string
function commands.hold(node, count)
    count = tonumber(count)
    many(count, function()
        call(node, "hold", count)
    end, function(ok, failed)
        print(("held calls to %s: %d answered, %d failed"):format(node, ok, failed))
    end)
end

---@param node string
---@param count string
---@param size string of each message, there and back
function commands.flood(node, count, size)
    local text = ("0123456789abcde\n"):rep(tonumber(size) // 16)
    many(tonumber(count), function()
        assert(call(node, "take", next_key(), text) == text)
    end, function(ok, failed)
        print(("flood to %s: %d answered, %d failed"):format(node, ok, failed))
    end)
end

---Calls and sends without an end, one after the other.
---@param node string
function commands.stream(node)
    streaming = true
    skynet.fork(function()
        local ok, failed = 0, 0
        while streaming do
            pcall(send, node, "take", next_key())
            if pcall(call, node, "take", next_key()) then
                ok = ok + 1
            else
                failed = failed + 1
                print("a call of the stream failed")
            end
            skynet.sleep(1)
        end
        print(("stream to %s: %d answered, %d failed, last %d"):format(node, ok, failed, key))
    end)
    print "streaming"
end

function commands.stop()
    streaming = false
end

---Calls until it is answered.
---@param node string
function commands.reach(node)
    skynet.fork(function()
        local tries = 1
        while not pcall(call, node, "take", next_key()) do
            tries = tries + 1
            skynet.sleep(5)
        end
        print(("reached %s."):format(node))
    end)
end

---Calls once.
---@param node string
function commands.call(node)
    skynet.fork(function()
        print(("call to %s: %s"):format(node, pcall(call, node, "take", next_key()) and "answered" or "failed"))
    end)
end

---@param node string
function commands.totals(node)
    skynet.fork(function()
        print(("totals of %s: %s"):format(node, call(node, "totals")))
    end)
end

local function join_harbor()
    skynet.name("PEER_" .. me, skynet.newservice "faults_peer")
    function call(node, ...)
        return skynet.call("PEER_" .. node, "lua", ...)
    end
    function send(node, ...)
        skynet.send("PEER_" .. node, "lua", ...)
    end
end

local function join_cluster()
    local cluster = require "skynet.cluster"
    local addresses = {}
    for name, address in nodes:gmatch "(%w+)=(%S+)" do
        addresses[name] = address
    end
    cluster.reload(addresses)
    cluster.register("peer", skynet.newservice "faults_peer")
    cluster.open(skynet.getenv "listen" or me)
    function call(node, ...)
        return cluster.call(node, "@peer", ...)
    end
    function send(node, ...)
        cluster.send(node, "@peer", ...)
    end
end

skynet.start(function()
    if nodes then
        join_cluster()
    else
        join_harbor()
    end
    print "ready"
    skynet.fork(function()
        local input = socket.stdin()
        while true do
            local line = socket.readline(input, "\n")
            if not line then
                return skynet.abort()
            end
            local words = {}
            for word in line:gmatch "%S+" do
                words[#words + 1] = word
            end
            commands[words[1]](table.unpack(words, 2))
        end
    end)
end)

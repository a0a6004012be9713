--- A service that subscribes to channels and does what it is told, for the tests of multicast.

local skynet = require "skynet.manager"
local multicast = require "skynet.multicast"

local seen = {}
local channels = {}
local command = {}

local function note(id, what)
    seen[id] = seen[id] or {}
    table.insert(seen[id], what)
end

local kinds = {
    plain = {
        dispatch = function(channel, source, ...)
            note(channel.channel, { source = source, n = select("#", ...), ... })
        end,
    },
    -- Reads the payload in place, and blocks before it does.
    raw = {
        unpack = function(msg, sz)
            return msg, sz
        end,
        dispatch = function(channel, source, msg, sz)
            skynet.sleep(1)
            note(channel.channel, { source = source, n = 1, skynet.unpack(msg, sz) })
        end,
    },
    -- Never ends.
    stuck = {
        unpack = function(msg, sz)
            return msg, sz
        end,
        dispatch = function(channel)
            note(channel.channel, { coroutine.running() })
            skynet.wait()
        end,
    },
    broken_unpack = {
        unpack = function()
            error "unpack fails here"
        end,
        dispatch = error,
    },
    broken_dispatch = {
        dispatch = function()
            error "dispatch fails here"
        end,
    },
}

function command.subscribe(id, kind)
    local conf = { channel = id }
    for key, value in pairs(kinds[kind or "plain"]) do
        conf[key] = value
    end
    channels[id] = multicast.new(conf)
    channels[id]:subscribe()
end

function command.unsubscribe(id)
    channels[id]:unsubscribe()
end

function command.delete(id)
    channels[id]:delete()
end

function command.seen(id)
    return seen[id] or {}
end

function command.count(id)
    return #(seen[id] or {})
end

function command.end_tasks(id)
    for _, what in ipairs(seen[id]) do
        skynet.killthread(what[1])
    end
end

--- Publishes from tasks of its own, and ends before any of them has an answer.
function command.publish_and_exit(id, count, ...)
    local channel = multicast.new { channel = id }
    for _ = 1, count do
        skynet.fork(channel.publish, channel, ...)
    end
    skynet.fork(skynet.exit)
end

--- Handles no message from here on, until the environment has a value for the key.
function command.stall(key, last)
    skynet.fork(function()
        repeat until skynet.getenv(key)
        if last == "exit" then
            skynet.exit()
        end
    end)
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        skynet.retpack(command[name](...))
    end)
end)

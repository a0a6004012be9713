--- skynet.multicast.core: a payload that three services read, and that is freed when the last one has.

local skynet = require "skynet.manager"
local memory = require "skynet.memory"
local multicast = require "skynet.multicast.core"
local print = require "print_line"
local refuses = require "refuses"

local SUBSCRIBERS <const> = 3
local role = ...

skynet.register_protocol {
    name = "multicast",
    id = skynet.PTYPE_MULTICAST,
    unpack = multicast.unpack,
}

if role == "subscriber" then
    local seen
    skynet.start(function()
        skynet.dispatch("multicast", function(_, _, package, data, size)
            skynet.ignoreret()
            seen = { data = tostring(data), text = skynet.unpack(data, size) }
            multicast.close(package)
        end)
        skynet.dispatch("lua", function()
            skynet.retpack(seen)
        end)
    end)
    return
end

local function publish(subscribers)
    local text = ("payload"):rep(10000)
    local msg, size = multicast.pack(skynet.pack(text))
    assert(size == 8)
    local package, data, length = multicast.unpack(msg, size)
    assert(skynet.unpack(data, length) == text)
    local copy = skynet.tostring(msg, size)
    assert(multicast.bind(msg, #subscribers) == package)
    for _, subscriber in ipairs(subscribers) do
        skynet.redirect(subscriber, 0, "multicast", 1, copy)
    end
    for _, subscriber in ipairs(subscribers) do
        local seen = skynet.call(subscriber, "lua")
        assert(seen.text == text and seen.data == tostring(data))
    end
end

local function errors()
    refuses("Size should be 32bit integer", multicast.pack, nil, 1 << 32)
    refuses("Size should be 32bit integer", multicast.packremote, nil, -1)
    refuses("an address expected", multicast.pack, nil, 1)
    refuses("an address expected", multicast.packremote, "text", 4)
    for _, name in ipairs { "unpack", "bind", "close", "remote" } do
        refuses("an address expected", multicast[name], nil, 8)
    end
    local msg, size = multicast.pack(skynet.pack "x")
    refuses("Invalid multicast package size 7", multicast.unpack, msg, size - 1)
    refuses("a 32-bit count expected", multicast.bind, msg, 1 << 31)
    skynet.trash(multicast.remote(msg))
    local package = multicast.bind(multicast.pack(skynet.pack "x"), 0)
    refuses("Invalid multicast package reference -1", multicast.close, package)
end

local function copies()
    local msg, size = skynet.pack "remote"
    local packed = multicast.packremote(msg, size)
    skynet.trash(msg, size)
    local data, length = multicast.remote(packed)
    assert(skynet.unpack(data, length) == "remote")
    skynet.trash(data, length)
    multicast.close(multicast.bind(multicast.packremote(nil, 0), 1))
end

local function run()
    local subscribers = {}
    for i = 1, SUBSCRIBERS do
        subscribers[i] = skynet.newservice("multicast_core", "subscriber")
    end
    publish(subscribers)
    local before = memory.current()
    for _ = 1, 20 do
        publish(subscribers)
    end
    -- Each payload has 70,000 bytes.
    assert(memory.current() - before < 70000, "a payload is left")
    errors()
    copies()
    assert(multicast.nextid(1) == 257 and multicast.nextid(0x7fffff01) == 1)
end

skynet.start(function()
    local ok, err = xpcall(run, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

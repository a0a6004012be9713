-- skynet.pack and skynet.unpack of a nested message, such as the state of a
-- player that a game server sends.

local skynet = require "skynet"
local bench = require "bench"

local function message()
    local bag, friends = {}, {}
    for i = 1, 20 do
        bag[i] = { id = 10000 + i, count = i * 3, bound = i % 2 == 0, quality = "rare" }
        friends[i] = 0x100000000 + i
    end
    return {
        uid = 1234567890123,
        name = "a name of a player",
        level = 42,
        position = { x = 123.456, y = -7.25, z = 0.5, map = "the northern harbour" },
        attributes = { hp = 5000, mp = 300, attack = 271, defence = -12, speed = 1.75 },
        bag = bag,
        friends = friends,
        guild = { id = 77, name = "a guild with a rather long name that is no short string", rank = 3 },
        online = true,
    }
end

--- Calls `step` for about `centiseconds` and returns calls per second. It
--- yields between batches, so that the node does not take it for an endless loop.
local function rate(centiseconds, step)
    local batch <const> = 500
    for _ = 1, batch do
        step()
    end
    local calls, busy = 0, 0
    while busy < centiseconds * 1e7 do
        local since = skynet.hpc()
        for _ = 1, batch do
            step()
        end
        busy = busy + (skynet.hpc() - since)
        calls = calls + batch
        skynet.yield()
    end
    return calls * 1e9 / busy
end

bench.main(function()
    local centiseconds = bench.setting "bench_centiseconds"
    local pack, unpack, trash = skynet.pack, skynet.unpack, skynet.trash
    local value = message()

    bench.result("pack", rate(centiseconds, function()
        trash(pack("update", 7, value))
    end))

    local msg, size = pack("update", 7, value)
    local name, seven, copy = unpack(msg, size)
    assert(name == "update" and seven == 7 and copy.bag[20].id == 10020, "unpack is not what was packed")
    bench.result("unpack", rate(centiseconds, function()
        unpack(msg, size)
    end))
    trash(msg, size)
end)

-- Packs and unpacks messages as games send them: "BENCH pack-NAME RATE" and
-- "BENCH unpack-NAME RATE" for each, per second, the best of several rounds.
--
-- The node's first service (bootstrap = "snlua bench_pack"): it needs no other.

local core = require "skynet.core"
local measure = require "measure"

--- What a client's battle frame may look like: nested records, short arrays,
-- numbers of every width.
local function battle()
    local units = {}
    for i = 1, 8 do
        units[i] = {
            id = 100000 + i,
            name = "unit" .. i,
            hp = 1000 * i,
            max_hp = 10000,
            pos = { x = i * 1.5, y = i * 2.25, z = 0.125 },
            buffs = { i, i + 300, i + 70000 },
            alive = true,
        }
    end
    return {
        frame = 123456,
        room = "arena-17",
        units = units,
        events = { "hit", "heal", "move", "die" },
        winner = false,
        started = 1700000000000,
    }
end

--- A call with a few plain arguments, as most are.
local function call()
    return "lua", "update", 12345, "a string that is longer than thirty-two bytes", true, 3.5
end

local function numbers()
    local t = {}
    for i = 1, 200 do
        t[i] = i * 37
    end
    return t
end

local function names()
    local t = {}
    for i = 1, 100 do
        t["player_" .. i] = i
    end
    return t
end

local function records()
    local t = {}
    for i = 1, 60 do
        t[i] = { id = i, item = "sword", count = i * 3, bound = i % 2 == 0, level = 7 }
    end
    return t
end

local function report(name, ...)
    local values = table.pack(...)
    local pack, unpack, trash = core.pack, core.unpack, core.trash
    local packing, unpacking
    local message, size = pack(...)
    if values.n == 1 then
        local value = ...
        packing = function(n)
            for _ = 1, n do
                trash(pack(value))
            end
        end
    else
        packing = function(n)
            for _ = 1, n do
                trash(pack(table.unpack(values, 1, values.n)))
            end
        end
    end
    unpacking = function(n)
        for _ = 1, n do
            unpack(message, size)
        end
    end
    print(string.format("BENCH pack-%s %.6g", name, 1e9 / measure(packing)))
    print(string.format("BENCH unpack-%s %.6g", name, 1e9 / measure(unpacking)))
    trash(message, size)
end

core.callback(function() end)

report("battle", battle())
report("call", call())
report("numbers", numbers())
report("names", names())
report("records", records())
io.stdout:flush()
core.command("ABORT")

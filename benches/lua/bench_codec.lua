-- Encodes and decodes what goes over a game's connections: "BENCH NAME RATE" for
-- each, per second, the best of several rounds.
--
-- The node's first service (bootstrap = "snlua bench_codec"): it needs no other.

local core = require "skynet.core"
local netpack = require "skynet.netpack"
local crypt = require "skynet.crypt"
local sproto = require "sproto"
local measure = require "measure"

local SCHEMA <const> = [[
    .position {
        x 0 : integer
        y 1 : integer
    }

    .unit {
        id 0 : integer
        name 1 : string
        at 2 : position
        buffs 3 : *integer
        alive 4 : boolean
    }

    .battle {
        frame 0 : integer
        room 1 : string
        units 2 : *unit
        events 3 : *string
    }
]]

--- What a client's battle frame may look like.
local function battle()
    local units = {}
    for i = 1, 8 do
        units[i] = {
            id = 100000 + i,
            name = "unit" .. i,
            at = { x = i * 150, y = -i * 225 },
            buffs = { i, i + 300, i + 70000 },
            alive = i % 2 == 0,
        }
    end
    return { frame = 123456, room = "arena-17", units = units, events = { "hit", "heal", "die" } }
end

---@param name string
---@param f fun(value: any)
---@param value any?
local function report(name, f, value)
    local time = measure(function(n)
        for _ = 1, n do
            f(value)
        end
    end)
    print(("BENCH %s %.6g"):format(name, 1e9 / time))
end

core.callback(function() end)

local schema = sproto.parse(SCHEMA)
local message = schema:encode("battle", battle())
local packed = sproto.pack(message)
local value = battle()
report("sproto-encode", function() return schema:encode("battle", value) end)
report("sproto-decode", function() return schema:decode("battle", message) end)
report("sproto-pack", sproto.pack, message)
report("sproto-unpack", sproto.unpack, packed)

local frame = ("x"):rep(100)
report("netpack-pack", function() core.trash(netpack.pack(frame)) end)
report("netpack-tostring", function() return netpack.tostring(netpack.pack(frame)) end)

local bytes = {}
for i = 1, 1024 do
    bytes[i] = string.char(i * 7 % 256)
end
local block = table.concat(bytes)
report("base64-encode", crypt.base64encode, block)
report("base64-decode", crypt.base64decode, crypt.base64encode(block))
report("sha1-short", crypt.sha1, block:sub(1, 64))
report("sha1-long", crypt.sha1, block)

io.stdout:flush()
core.command("ABORT")

-- Encodes and decodes what goes over sockets: "BENCH NAME RATE" for each, per second, the
-- best of several rounds.
--
-- The node's first service (bootstrap = "snlua bench_codec"): it needs no other. The
-- config's bench_codec says which part: sproto, netpack or crypt.

local core = require "skynet.core"
local crypt = require "skynet.crypt"
local driver = require "skynet.socketdriver"
local measure = require "measure"
local netpack = require "skynet.netpack"
local sproto = require "sproto"
local sproto_core = require "sproto.core"

-- A message of a game, and a short one.
local schema = sproto.parse [[
.item { id 0 : integer  name 1 : string  count 2 : integer  bound 3 : boolean }
.player {
    id 0 : integer
    name 1 : string
    level 2 : integer
    x 3 : double
    y 4 : double
    items 5 : *item
    friends 6 : *integer
    titles 7 : *string
    guild 8 : string
}
.say { channel 0 : integer  text 1 : string }
]]

local player = {
    id = 100000000123,
    name = "a player of some renown",
    level = 57,
    x = 10.5,
    y = -3.25,
    items = {},
    friends = {},
    titles = { "the first", "the brave", "of the north" },
    guild = "a guild",
}
for i = 1, 10 do
    player.items[i] = { id = 1000 + i, name = "item" .. i, count = i * 70000, bound = i % 2 == 0 }
    player.friends[i] = 200000 + i
end
local say = { channel = 3, text = ("text "):rep(16) }

local function report(name, f)
    print(string.format("BENCH %s %.6g", name, 1e9 / measure(f)))
end

--- Measures a function of up to three arguments.
local function call(name, f, a, b, c)
    report(name, function(n)
        for _ = 1, n do
            f(a, b, c)
        end
    end)
end

local function sproto_messages()
    for name, message in pairs { player = player, say = say } do
        local encoded = schema:encode(name, message)
        local packed = sproto_core.pack(encoded)
        call("sproto-encode-" .. name, schema.encode, schema, name, message)
        call("sproto-decode-" .. name, schema.decode, schema, name, encoded)
        call("sproto-pack-" .. name, sproto_core.pack, encoded)
        call("sproto-unpack-" .. name, sproto_core.unpack, packed)
        call("sproto-pencode-" .. name, schema.pencode, schema, name, message)
        call("sproto-pdecode-" .. name, schema.pdecode, schema, name, packed)
    end
end

--- Calls `netpack.filter` as the node does with what a socket read. The message is made
--- here, which is a part of the time: a kind (data), a socket, a size, and a block.
local function filter(queue, bytes)
    local block, size = driver.str2p(bytes)
    -- How a pointer is serialised: a byte, and the address.
    local address = core.packstring(block):sub(2)
    local message, length = driver.str2p(("<i4i4i4i4"):pack(1, 1, size, 0) .. address)
    return message, length, netpack.filter(queue, message, length)
end

local function netpack_reads()
    local one = (">s2"):pack(("x"):rep(60))
    local queue
    report("netpack-filter-one", function(n)
        for _ = 1, n do
            local message, _, of, _, _, content, size = filter(queue, one)
            queue = of
            netpack.tostring(content, size)
            core.trash(message, 0)
        end
    end)
    -- The frames of one read, and one in two pieces.
    local many = one:rep(64)
    report("netpack-filter-many", function(n)
        for _ = 1, n do
            for piece = 1, 2 do
                local bytes = piece == 1 and many:sub(1, -20) or many:sub(-19)
                local message, _, of, what, _, content, size = filter(queue, bytes)
                queue = of
                core.trash(message, 0)
                if what == "data" then
                    netpack.tostring(content, size)
                else
                    for _, frame, bytes_of_it in netpack.pop, queue do
                        netpack.tostring(frame, bytes_of_it)
                    end
                end
            end
        end
    end)
end

local function netpack_frames()
    netpack_reads()
    for name, size in pairs { short = 60, long = 4000 } do
        local content = ("x"):rep(size)
        report("netpack-pack-" .. name, function(n)
            for _ = 1, n do
                core.trash(netpack.pack(content))
            end
        end)
        -- Packed as the sender does and unpacked as the receiver does.
        report("netpack-tostring-" .. name, function(n)
            for _ = 1, n do
                netpack.tostring(netpack.pack(content))
            end
        end)
    end
end

local function digests()
    local key = "12345678"
    for name, size in pairs { short = 40, long = 4000 } do
        local text = ("some text "):rep(size // 10)
        call("crypt-base64encode-" .. name, crypt.base64encode, text)
        call("crypt-base64decode-" .. name, crypt.base64decode, crypt.base64encode(text))
        call("crypt-hexencode-" .. name, crypt.hexencode, text)
        call("crypt-hexdecode-" .. name, crypt.hexdecode, crypt.hexencode(text))
        call("crypt-sha1-" .. name, crypt.sha1, text)
        call("crypt-hmac_sha1-" .. name, crypt.hmac_sha1, key, text)
        call("crypt-hashkey-" .. name, crypt.hashkey, text)
        call("crypt-hmac_hash-" .. name, crypt.hmac_hash, key, text)
        call("crypt-desencode-" .. name, crypt.desencode, key, text)
        call("crypt-desdecode-" .. name, crypt.desdecode, key, crypt.desencode(key, text))
        call("crypt-xor_str-" .. name, crypt.xor_str, text, key)
    end
    call("crypt-hmac64", crypt.hmac64, key, "87654321")
    call("crypt-hmac64_md5", crypt.hmac64_md5, key, "87654321")
    call("crypt-dhexchange", crypt.dhexchange, key)
    call("crypt-dhsecret", crypt.dhsecret, key, crypt.dhexchange "87654321")
end

core.callback(function() end)

local parts = { sproto = sproto_messages, netpack = netpack_frames, crypt = digests }
parts[core.command("GETENV", "bench_codec")]()
io.stdout:flush()
core.command "ABORT"

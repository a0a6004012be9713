--- Compares two builds of skynet.cluster.core: ours and the reference's. comparison.lua tells how;
--- the first service is
--
--     snlua compare_cluster <ours>/libskynet_lualib.so <reference>/luaclib/skynet.so

local comparison = require "comparison"

local our_file, their_file, seed = ...
local check, bytes, random = comparison.check, comparison.bytes, math.random
local ours = comparison.open(our_file, "skynet_cluster_core")
local theirs = comparison.open(their_file, "skynet_cluster_core")
local core = comparison.open(our_file, "skynet_core")
comparison.begin(core, seed)

local ROUNDS <const> = 3000

--- A message with these bytes, and its size.
local function message(text)
    return select(3, ours.unpackrequest("\0\1\0\0\0\1\0\0\0" .. text))
end

-- Errors without the place in the program; messages as their bytes, and freed.
local function plain(ok, ...)
    local list = table.pack(...)
    if not ok then
        return { "error", (tostring(list[1]):gsub("^.-:%d+: ", "")) }
    end
    for i = 1, list.n do
        if type(list[i]) == "userdata" then
            local text = core.tostring(list[i], list[i + 1])
            core.trash(list[i], list[i + 1])
            list[i] = "message " .. text
        end
    end
    return list
end

local function both(name, arguments)
    local results = {}
    for which, module in ipairs { ours, theirs } do
        local list = arguments()
        results[which] = comparison.canonical_all(true, plain(pcall(module[name], table.unpack(list, 1, list.n))))
    end
    check(name, results[1], results[2])
end

local function address()
    local kind = random(8)
    if kind <= 3 then
        return random(0, 0xffffffff)
    elseif kind == 4 then
        return ({ 0, 1.0, 1.5, -1, "", ("x"):rep(256), true, 1 << 40 })[random(8)]
    end
    return bytes(kind == 5 and random(1, 255) or random(1, 12))
end

local function session()
    return random(20) == 1 and ({ 0, -1, 0x7fffffff, 1 })[random(4)] or random(1, 0x7fffffff)
end

local function size()
    local kind = random(12)
    if kind == 1 then
        return 0x8000 * random(1, 4) + random(-2, 2)
    elseif kind == 2 then
        return random(0, 200000)
    end
    return random(0, 40)
end

local function packing(name)
    local to, number, length = address(), session(), size()
    local text = bytes(16):rep(length // 16 + 1):sub(1, length)
    both(name, function()
        local msg, sz = message(text)
        return { to, number, msg, sz, n = 4 }
    end)
end

local kinds = { 0, 1, 2, 3, 4, 0x41, 0x80, 0x81, 0xc1, 0x82, 5, 0xff }

for _ = 1, ROUNDS do
    packing "packrequest"
    packing "packpush"

    local tag = bytes(random(0, 300))
    both("packtrace", function() return { tag, n = 1 } end)

    local text, number, ok = bytes(16):rep(size() // 16), random(0, 0xffffffff), random(2) == 1
    both("packresponse", function() return { number, ok, text, n = 3 } end)
    local msg, sz = message(text)
    both("packresponse", function() return { number, ok, msg, sz, n = 4 } end)
    core.trash(msg, sz)

    local frame = string.char(kinds[random(#kinds)]) .. bytes(random(0, 24))
    if random(3) == 1 then
        frame = frame:sub(1, 1) .. string.char(random(0, 8)) .. frame:sub(3)
    end
    both("unpackrequest", function() return { frame, n = 1 } end)
    local response = bytes(4) .. string.char(random(0, 6)) .. bytes(random(3) == 1 and 4 or random(0, 20))
    response = response:sub(1, random(0, 40))
    both("unpackresponse", function() return { response, n = 1 } end)

    local list, total = { 0 }, 0
    for i = 1, random(0, 4) do
        list[i + 1] = bytes(random(0, 20))
        total = total + #list[i + 1]
    end
    list[1] = random(4) == 1 and random(0, 100) or total
    both("concat", function() return { list, n = 1 } end)

    local name = random(3) == 1 and "@" .. bytes(3) or address()
    both("isname", function() return { name, n = 1 } end)

    for which, module in ipairs { ours, theirs } do
        local appended = { "first" }
        local block, length = message(tag)
        module.append(appended, nil, number)
        module.append(appended, block, length)
        check("append " .. which, comparison.canonical_all(true, appended),
            comparison.canonical_all(true, { "first", number, tag }))
    end
end

check("nodename", ours.nodename(), theirs.nodename())
local long = ("t"):rep(0x8001)
both("packtrace", function() return { long, n = 1 } end)
both("packtrace", function() return { long:sub(2), n = 1 } end)
for _, list in ipairs { {}, { "x" }, { 1, "x", 2 }, { 2, "x", 2, "x" } } do
    both("concat", function() return { list, n = 1 } end)
end
both("concat", function() return { "text", n = 1 } end)
both("unpackrequest", function() return { "", n = 1 } end)

comparison.finish()

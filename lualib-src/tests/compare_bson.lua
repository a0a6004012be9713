--- Compares two builds of bson: ours and the reference's. comparison.lua tells how;
--- the first service is
--
--     snlua compare_bson <ours>/libskynet_lualib.so <reference>/luaclib/bson.so

local comparison = require "comparison"

local our_file, their_file, seed = ...
local check, bytes, random = comparison.check, comparison.bytes, math.random
local ours, theirs = comparison.open(our_file, "bson"), comparison.open(their_file, "bson")
comparison.begin(comparison.open(our_file, "skynet_core"), seed)

--- That errors are errors is compared, not their texts.
local function canonical_all(ok, ...)
    return ok and comparison.canonical_all(ok, ...) or "error"
end

local function word()
    local list = {}
    for i = 1, random(0, 12) do
        list[i] = utf8.char(random(10) == 1 and random(0x80, 0xffff) or random(32, 126))
    end
    return table.concat(list)
end

local special = {
    function(b) return b.null end,
    function(b) return b.minkey end,
    function(b) return b.maxkey end,
    function(b, n) return b.date(n) end,
    function(b, n) return b.timestamp(n, n // 3) end,
    function(b, n) return b.int64(n) end,
    function(b, n, s) return b.binary(s) end,
    function(b, n, s) return b.regex(s) end,
    function(b, n, s) return b.regex(s, "i") end,
    function(b, n) return b.objectid(string.format("%024x", n)) end,
    function() return "\0\13\5\0\0\0code\0" end,
    function() return "\0\14\5\0\0\0code\0" end,
    function() return "\0\12\2\0\0\0x\0123456789012" end,
    function() return "\0\15\15\0\0\0\2\0\0\0x\0\5\0\0\0\0" end,
}

local function value(depth)
    local kind = random(12)
    if kind <= 2 then
        return random(-100, 100)
    elseif kind == 3 then
        return random(0)
    elseif kind == 4 then
        return random() * 10 ^ random(-20, 20)
    elseif kind == 5 then
        return random(2) == 1
    elseif kind <= 7 then
        return word()
    elseif kind <= 9 then
        local make, n, s = special[random(#special)], random(0, 0xffffffff), word()
        local a, b = make(ours, n, s), make(theirs, n, s)
        check("special", a, b)
        check("type", canonical_all(pcall(ours.type, a)), canonical_all(pcall(theirs.type, a)))
        return a
    elseif depth > 4 then
        return {}
    end
    local t = {}
    local size = random(0, 6)
    for i = 1, size do
        t[kind == 10 and i or word()] = value(depth + 1)
    end
    if random(5) == 1 then
        local data = t
        t = setmetatable({}, kind == 10 and {
            __len = function() return size end,
            __index = data,
        } or {
            __pairs = function() return next, data, nil end,
        })
    elseif random(8) == 1 and kind ~= 10 then
        local ok, document = pcall(theirs.encode, t)
        return ok and document or 1
    end
    return t
end

local function decoded(b, text)
    -- The reference reads a size and believes it.
    return canonical_all(pcall(b.decode, text))
end

local function compare_encode(t)
    local ok, document = pcall(ours.encode, t)
    local their_ok, their_document = pcall(theirs.encode, t)
    check("encoding succeeds " .. tostring(document) .. tostring(their_document), ok, their_ok)
    if ok and their_ok then
        check("encoded", tostring(document), tostring(their_document))
        check("size", #document, #their_document)
        check("decoded", decoded(ours, their_document), decoded(theirs, document))
        check("decoded by address", decoded(ours, ours.to_lightuserdata(document)), decoded(theirs, document))
    elseif not ok and not their_ok then
        check("error", document, their_document)
    end
end

local function order(...)
    local ok, document = pcall(ours.encode_order, ...)
    local their_ok, their_document = pcall(theirs.encode_order, ...)
    check("order", ok, their_ok)
    check("order", tostring(document), tostring(their_document))
end

local function replaced(b)
    local document = b.encode_order("i", 1, "r", 1.5, "b", true, "d", b.date(1), "t", b.timestamp(1, 2),
        "o", b.objectid(("0"):rep(24)), "l", b.int64(5), "s", "text", "n", { x = 1 })
    local log = {}
    document:makeindex()
    for _, set in ipairs { { "i", -7 }, { "i", 1.5 }, { "r", 2 }, { "r", "x" }, { "b", false }, { "b", nil },
        { "d", b.date(77) }, { "d", 5 }, { "d", b.int64(1) }, { "t", b.timestamp(8, 9) }, { "s", "x" },
        { "o", b.objectid(("a1"):rep(12)) }, { "o", b.date(1) }, { "l", math.maxinteger }, { "l", "x" },
        { "none", 1 }, { "n", 1 }, { 1, 2 } } do
        log[#log + 1] = tostring((pcall(function() document[set[1]] = set[2] end)))
    end
    return table.concat(log, ",") .. tostring(document)
end

for _ = 1, 20000 do
    local t = {}
    for _ = 1, random(0, 5) do
        t[word()] = value(1)
    end
    compare_encode(t)
    order("a", value(1), word(), value(1), 5, value(1))
    local text = random(3) == 1 and bytes(random(0, 6)) or word() .. bytes(random(0, 2))
    -- Of a special string that is none, the reference reads more than there is.
    text = text:gsub("^%z", "x")
    compare_encode { text = text }
    if not text:find("\0", 1, true) then
        compare_encode { [text] = 1 }
    end
end
for codepoint = 0x80, 0x10ffff, 37 do
    compare_encode { utf8.char(codepoint) and nil, x = utf8.char(codepoint) }
end
for _, text in ipairs { "\xed\xa0\x80", "\xed\xbf\xbf", "\xc0\x80", "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xf0\x80\x80\x80",
    "\x80", "\xff", "\xc2", "\xe2\x82", "\xf8\x88\x80\x80\x80", "x\xed\xa0\x80y\xed\xbf\xbfz" } do
    compare_encode { x = text }
end
compare_encode { 1, 2, 3 }
compare_encode { x = { 1, 2, nil, 4 } }
compare_encode { x = { [1.5] = 1 } }
compare_encode { x = { [true] = 1 } }
compare_encode { x = print }
compare_encode { x = { [2] = 1 } }
compare_encode { x = setmetatable({}, { __len = function() return "x" end }) }
compare_encode { x = setmetatable({}, { __len = function() return 3 end }) }
compare_encode { x = "\0\200" }
compare_encode { x = "\0\7short" }
compare_encode { x = "\0\18short" }
for _, depth in ipairs { 1, 100, 127, 128, 129, 1000 } do
    local t = {}
    for _ = 1, depth do
        t = { x = t }
    end
    compare_encode(t)
end
local long = {}
for i = 1, 2000 do
    long[i] = i
end
compare_encode { x = long }
order()
order("x")
order(nil, 1)
order("x", nil)
order({}, 1)
check("replaced", replaced(ours), replaced(theirs))
for name, made in pairs(theirs) do
    check("type of " .. name, type(ours[name]), type(made))
end
comparison.finish()

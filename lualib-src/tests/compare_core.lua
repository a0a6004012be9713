--- Compares two builds of skynet.core: ours and the reference's. comparison.lua tells how;
--- the first service is
--
--     snlua compare_core <ours>/libskynet_lualib.so <reference>/luaclib/skynet.so

local comparison = require "comparison"

local our_file, their_file, seed = ...
local check, canonical_all = comparison.check, comparison.canonical_all
local ours, theirs = comparison.open(our_file, "skynet_core"), comparison.open(their_file, "skynet_core")
comparison.begin(ours, seed)

--- Packs the same values with both, and lets each read what the other wrote.
local function compare_values(what, ...)
    local our_ok, our_bytes = pcall(ours.packstring, ...)
    local their_ok, their_bytes = pcall(theirs.packstring, ...)
    check(what .. ": packing succeeds", our_ok, their_ok)
    check(what .. ": packed", our_bytes, their_bytes)
    if our_ok and their_ok then
        local as_read = canonical_all(pcall(theirs.unpack, our_bytes))
        check(what .. ": unpacked", canonical_all(pcall(ours.unpack, their_bytes)), as_read)
        local message, size = ours.pack(...)
        check(what .. ": size", size, #their_bytes)
        check(what .. ": block", theirs.tostring(message, size), their_bytes)
        check(what .. ": block unpacked", canonical_all(pcall(ours.unpack, message, size)), as_read)
        theirs.trash(message, size)
    end
end

--- Calls the same function of both with the same arguments.
local function compare_call(name, ...)
    local what = name .. "(" .. canonical_all("", ...):sub(1, 80) .. ")"
    check(what, canonical_all(pcall(ours[name], ...)), canonical_all(pcall(theirs[name], ...)))
end

local function nested(levels, innermost)
    local t = innermost
    for _ = 1, levels do
        t = { t }
    end
    return t
end

local function nested_names(levels, innermost)
    local t = innermost
    for _ = 1, levels do
        t = { x = t }
    end
    return t
end

local function single_values()
    local edges = { 0, 1, -1, 31, 32, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000,
        0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, math.maxinteger, math.mininteger,
        -0x80, -0x81, -0x8000, -0x80000000, -0x80000001, 1.0, 0.0, -0.0, 1.5, -1e300, 2^53,
        math.huge, -math.huge, 0 / 0, true, false, "" }
    for _, value in ipairs(edges) do
        compare_values("edge " .. tostring(value), value)
        compare_values("edge key", { [value == value and value or 1] = value })
    end
    compare_values("nothing")
    compare_values("nil", nil)
    compare_values("nils", nil, nil, 1, nil)
    for _, len in ipairs { 1, 2, 3, 4, 7, 8, 15, 16, 30, 31, 32, 33, 255, 256, 4000, 4090, 4096,
        5000, 0xfffe, 0xffff, 0x10000, 0x10001, 300000 } do
        local text = string.rep("x", len - 1) .. "\0"
        compare_values("string of " .. len, text)
        compare_values("field of " .. len, { [text] = text, text })
    end
    local message, size = ours.pack("for its address")
    compare_values("light userdata", message, { message, [message] = message })
    ours.trash(message, size)
    compare_values("a function", print)
    compare_values("a function within", 1, { a = { print } })
    compare_values("a thread", coroutine.create(print))
    compare_values("a file", { io.stdout })
    compare_values("a function as key", { [print] = 1 })
    local many = {}
    for i = 1, 200 do
        many[i] = i
    end
    compare_values("many arguments", table.unpack(many))
end

local function tables()
    for n = 0, 70 do
        local t = {}
        for i = 1, n do
            t[i] = i
        end
        compare_values("array of " .. n, t)
        t.name = "x"
        t[-1] = -1
        t[0] = 0
        t[n + 2] = "beyond"
        t[1.5] = 1.5
        compare_values("array and fields " .. n, t)
        local reversed = {}
        for i = n, 1, -1 do
            reversed[i] = i
        end
        compare_values("written backwards " .. n, reversed)
        local late = { a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8, i = 9 }
        late.a, late.b, late.c, late.d, late.e, late.f, late.g = nil
        for i = 1, n do
            late[i] = i
            late[tostring(i)] = i
        end
        compare_values("grown between fields " .. n, late)
        if n > 2 then
            t[n // 2] = nil
            compare_values("a hole in " .. n, t)
            reversed[1] = nil
            compare_values("no first in " .. n, reversed)
        end
    end
    compare_values("holes", { 1, nil, 3 }, { nil, nil, 3 }, { n = 1, nil, 2 })
    for levels = 28, 36 do
        compare_values("nested " .. levels, nested(levels, 1))
        compare_values("nested empty " .. levels, nested(levels, {}))
        compare_values("nested fields " .. levels, nested_names(levels, "x"))
        compare_values("nested fields, function " .. levels, nested_names(levels, print))
        compare_values("nested keys " .. levels, { [nested(levels, {})] = 1 })
        compare_values("nested, pairs " .. levels, nested(levels, setmetatable({}, {
            __pairs = function()
                return next, { 1 }
            end,
        })))
    end
    local loop = {}
    loop.loop = loop
    compare_values("a loop", loop)
    local large = {}
    for i = 1, 3000 do
        large[i] = { id = i, tags = { i, tostring(i) }, sub = { x = { y = i / 3 } } }
    end
    compare_values("many tables", large, "and", { more = large })
end

local function iterated()
    local function with(pairs_function)
        return setmetatable({ 1, 2, x = 3 }, { __pairs = pairs_function })
    end
    compare_values("pairs by next", with(function(t)
        return next, t, nil
    end))
    compare_values("pairs of other things", { a = with(function()
        local i = 0
        return function()
            i = i + 1
            if i < 50 then
                return i, { i, "x" }, "ignored"
            end
        end
    end), 5 })
    compare_values("pairs with nil values", with(function()
        return function(_, k)
            k = (k or 0) + 1
            if k < 5 then
                return k
            end
        end
    end))
    compare_values("pairs that pack", with(function(t)
        return function(_, k)
            if k == nil then
                return ours.packstring(t[1], t.x), theirs.packstring(string.rep("x", 9000))
            end
        end
    end))
    compare_values("pairs in pairs", with(function(t)
        return next, { with(function()
            return next, { y = t[1] }
        end) }
    end))
    compare_values("no function for pairs", with(false))
    compare_values("a number for pairs", with(17))
    compare_values("pairs fails", with(function()
        error("told to")
    end))
    local failure = { code = 1 }
    compare_values("pairs fails with a table", with(function()
        error(failure)
    end))
    compare_values("iteration fails", string.rep("x", 9000), with(function()
        return function()
            error("told to", 0)
        end
    end))
    compare_values("iteration gives a function", string.rep("x", 9000), with(function()
        return function()
            return 1, print
        end
    end))
    compare_values("pairs gives nothing", with(function() end))
    compare_values("metatable without pairs", setmetatable({ 1, 2, a = 3 }, { __index = {}, __len = function()
        return 17
    end }))
end

local function random_value(depth)
    local kind = math.random(depth > 4 and 6 or 9)
    if kind == 1 then
        return math.random(0) >> math.random(0, 63)
    elseif kind == 2 then
        return -(math.random(0) >> math.random(1, 63))
    elseif kind == 3 then
        return (math.random() - 0.5) * 10 ^ math.random(-20, 20)
    elseif kind == 4 then
        return math.random(2) == 1
    elseif kind <= 6 then
        local letters = {}
        for i = 1, math.random(0, 40) do
            letters[i] = string.char(math.random(0, 255))
        end
        return table.concat(letters)
    end
    local t = {}
    if kind ~= 7 then
        for i = 1, math.random(0, 40) >> depth do
            t[i] = random_value(depth + 1)
        end
    end
    if kind ~= 8 then
        for _ = 1, math.random(0, 30) >> depth do
            t[random_value(depth + 1)] = random_value(depth + 1)
        end
        for _ = 1, math.random(0, 8) do
            t[math.random(-3, 50)] = math.random(3) > 1 and random_value(depth + 1) or nil
        end
    end
    return t
end

local function random_values()
    for i = 1, 3000 do
        compare_values("random " .. i, random_value(0), random_value(2))
    end
end

--- A stream that ends too early fails with both, or has the same values.
local function truncated()
    for i = 1, 100 do
        local bytes = ours.packstring(random_value(0), "end", { 1, a = "b" })
        for _ = 1, 30 do
            local part = bytes:sub(1, math.random(0, #bytes))
            local our_result = canonical_all(pcall(ours.unpack, part))
            local their_result = canonical_all(pcall(theirs.unpack, part))
            local how = "Invalid serialize stream"
            if our_result:find(how, 1, true) then
                our_result = how
            end
            if their_result:find(how, 1, true) then
                their_result = how
            end
            check("truncated " .. i, our_result, their_result)
        end
    end
end

local function calls()
    for name in pairs(theirs) do
        check("has " .. name, type(ours[name]), "function")
    end
    for name in pairs(ours) do
        check("has no more than " .. name, type(theirs[name]), "function")
    end
    local message = ours.pack("a message")
    for _, name in ipairs { "send", "redirect", "command", "intcommand", "addresscommand",
        "harbor", "callback", "trace", "tostring", "unpack", "trash" } do
        compare_call(name)
        compare_call(name, nil)
        compare_call(name, {})
        compare_call(name, true, {}, {}, {}, {})
        compare_call(name, "x", {}, {}, {})
    end
    compare_call("unpack", message)
    compare_call("unpack", message, 0)
    compare_call("unpack", message, "x")
    compare_call("unpack", 17, 1)
    compare_call("unpack", 17, 0)
    compare_call("unpack", "")
    compare_call("tostring", message, 0)
    compare_call("tostring", message, 4.0)
    compare_call("tostring", message, 4.5)
    compare_call("trash", "x")
    compare_call("trash", message, "x")
    ours.trash(message, 1)

    compare_call("send", 0, 0, 0, "x")
    compare_call("send", 0.5, 0, 0, "x")
    compare_call("send", nil, 0, 0, "x")
    compare_call("send", false, 0, 0, "x")
    compare_call("send", print, 0, 0, "x")
    compare_call("send", 0xfffffe, 0, 0, "x")
    compare_call("send", 0xfffffe, "x", 0, "x")
    compare_call("send", 0xfffffe, 0, "x", "x")
    compare_call("send", 0xfffffe, 0, 1.5, "x")
    compare_call("send", 0xfffffe, 0, "5", "x")
    compare_call("send", 0xfffffe, 0)
    compare_call("send", 0xfffffe, 0, 0)
    compare_call("send", 0xfffffe, 0, 0, 17)
    compare_call("send", 0xfffffe, 0, 0, {})
    compare_call("send", ".nobody", 0, 0, "x")
    compare_call("send", ".logger", 0, 7, "")
    compare_call("redirect", 0xfffffe, "x", 0, 0, "x")
    compare_call("redirect", 0xfffffe, 5, 0, 0, "x")
    compare_call("redirect", 0, 5, 0, 0, "x")
    for _, core in ipairs { ours, theirs } do
        local block, size = core.pack("given away")
        check("send of a block", core.send(0xfffffe, 0, 3, block, size), nil)
        block = core.pack("given away")
        check("send without a size", pcall(core.send, 0xfffffe, 0, 3, block), false)
        core.trash(block, 0)
        block = core.pack("given away")
        check("send of too much", core.send(0xfffffe, 0, 3, block, -1), false)
    end

    check("genid", ours.genid() + 1, theirs.genid())
    check("session", ours.send(1, 0, nil, "") + 1, theirs.send(1, 0, nil, ""))
    compare_call("harbor", 0x01000001)
    compare_call("harbor", 0x05000001)
    compare_call("harbor", "17")
    compare_call("harbor", 1.5)

    compare_call("command", "REG")
    compare_call("command", "REG", nil)
    compare_call("command", "REG", nil, nil)
    compare_call("command", "NO SUCH COMMAND", "x")
    compare_call("command", "GETENV", "thread")
    compare_call("command", "GETENV", "nothing")
    compare_call("command", "QUERY", ".nobody")
    compare_call("addresscommand", "REG")
    compare_call("addresscommand", "STARTTIME")
    compare_call("addresscommand", "GETENV", "nothing")
    compare_call("intcommand", "STARTTIME")
    compare_call("intcommand", "STAT", "mqlen")
    compare_call("intcommand", "GETENV", "bootstrap")
    local texts = { "0", "12", "-12", " 7", "7 ", "0x1f", "017", "08", "1.5", "1e3", "x", "nan",
        "99999999999999999999", "-", ":00000010", ":1g", ":ABCDEF01", ":123456789a", ":", "::1" }
    for i, text in ipairs(texts) do
        ours.command("SETENV", "compare_" .. i .. " " .. text)
        compare_call("command", "GETENV", "compare_" .. i)
        compare_call("intcommand", "GETENV", "compare_" .. i)
        compare_call("addresscommand", "GETENV", "compare_" .. i)
    end
    -- The values show what the number became on the way.
    for i, name in ipairs { "0", "7", "-7", "7.0", "7.5", "-1", "-2147483648" } do
        ours.command("SETENV", name .. " " .. i)
    end
    for _, number in ipairs { 0, 7, -7, 7.0, 7.5, "7", "7.0", "7.5", 2 ^ 31, 2 ^ 40, 2 ^ 63, math.mininteger,
        math.maxinteger, -2147483648 } do
        compare_call("intcommand", "GETENV", number)
        compare_call("command", "GETENV", number)
    end
    compare_call("trace", "tag", "text", {})
    compare_call("trace", "tag", "text", "x")
    compare_call("trace", "tag")
    check("now", math.type(ours.now()), math.type(theirs.now()))
    check("now goes with theirs", theirs.now() - ours.now() <= 1, true)
    local before, between, after = theirs.hpc(), ours.hpc(), theirs.hpc()
    check("hpc", before <= between and between <= after, true)
end

single_values()
tables()
iterated()
random_values()
truncated()
calls()
comparison.finish()

--- skynet.datasheet.core and dump: what documents have, and that no bytes do harm.

local skynet = require "skynet.manager"
local core = require "skynet.datasheet.core"
local dump = require "skynet.datasheet.dump"
local print = require "print_line"
local refuses = require "refuses"
local same = require "same"

local DAMAGES <const> = 20000

local content = {
    1, -2, 2.5, "three", true, false, { "inner", { deep = 0x7fffffff } },
    a = { b = { c = {} } }, [""] = "", low = -0x80000000, wide = 1 << 20, real = 0.25,
}

--- A document that is written out here, so that its bytes stay what they are.
local function bytes()
    local document = dump.dump { 7, { x = true } }
    assert(document == ("<I4I4I4I4"):pack(56, 2, 0, 20)
        .. ("<I4I4"):pack(2, 0) .. "\1\4\0\0" .. ("<i4I4"):pack(7, 1)
        .. ("<I4I4"):pack(0, 1) .. "\3\0\0\0" .. ("<I4"):pack(0) .. "\0\0\0\1"
        .. "x\0")
end

local function reading()
    local document = dump.dump(content)
    local root, numbers = dump.undump(document)
    assert(same(root, content) and numbers[root] == 0)
    local proxy = core.new(core.stringpointer(document))
    assert(getmetatable(proxy) ~= nil and #proxy == 7 and getmetatable(proxy) == nil)
    assert(same(proxy, content))
    -- A real that is an integer becomes one.
    assert(math.type(core.new(core.stringpointer(dump.dump { 3.0 }))[1]) == "integer")
    -- Each way to look at it first.
    local inner = core.new(core.stringpointer(document .. "1"))[7]
    assert(inner[2].deep == 0x7fffffff and inner[3] == nil)
    local keys = 0
    for _ in pairs(core.new(core.stringpointer(document .. "2"))) do
        keys = keys + 1
    end
    assert(keys == 12)
    -- The same table twice is the same proxy.
    local pointer = core.stringpointer(document .. "3")
    assert(rawequal(core.new(pointer), core.new(pointer)))
end

local function updates()
    local first = dump.dump { list = { 1, 2 }, gone = { inner = {} }, n = 1 }
    local second = dump.diff(first, dump.dump { list = { 3 }, new = { 5 }, n = 2 })
    local third = dump.diff(second, dump.dump { list = 4, new = { 6 }, gone = { 7 }, n = 3 })
    local proxy = core.new(core.stringpointer(first))
    local list, gone = proxy.list, proxy.gone
    local inner = gone.inner
    assert(#list == 2 and proxy.n == 1)
    core.update(proxy, core.stringpointer(second))
    assert(proxy.n == 2 and rawequal(proxy.list, list) and #list == 1 and list[1] == 3 and proxy.gone == nil)
    for _, lost in ipairs { gone, inner } do
        refuses("Invalid proxy (index = ", function() return lost.x end)
        refuses("Invalid proxy (index = ", function() return #lost end)
        refuses("Invalid proxy (index = ", pairs, lost)
    end
    local new = proxy.new
    assert(new[1] == 5)
    core.update(proxy, core.stringpointer(third))
    assert(proxy.n == 3 and proxy.list == 4 and new[1] == 6 and rawequal(proxy.new, new))
    -- It is another table that is there again.
    assert(proxy.gone[1] == 7 and not rawequal(proxy.gone, gone))
    refuses("Invalid proxy (index = ", function() return gone[1] end)
    refuses("Invalid proxy (index = ", function() return list[1] end)
    core.update(proxy, core.stringpointer(third))
    assert(proxy.n == 3)
end

local function errors()
    for _, wrong in ipairs { {}, "text", 1, print } do
        refuses("Invalid proxy table", core.update, wrong, core.stringpointer(dump.dump {}))
    end
    refuses("Invalid proxy table", core.update)
    refuses("Invalid proxy table", getmetatable(core.new(core.stringpointer(dump.dump {}))).__index, {}, 1)
    local proxy = core.new(core.stringpointer(dump.dump { 1 }))
    refuses("userdata expected, got", core.update, proxy, "text")
    refuses("userdata expected, got", core.new, "text")
    refuses("userdata expected, got", core.new, io.stdout)
    refuses("string expected", core.stringpointer)
    refuses("Unsupport value function", dump.dump, { print })
    for _, key in ipairs { 0, -1, 3, 1.5, true } do
        refuses("a key is neither a string nor one of 1 to 1", dump.dump, { "one", [key] = 1 })
    end
    local cycle = {}
    cycle.cycle = cycle
    refuses("stack overflow", dump.dump, cycle)
    -- A short document that would be a huge table: each of 40 tables has the next one twice.
    local tables, offsets = {}, {}
    for i = 1, 40 do
        offsets[i] = ("<I4"):pack((i - 1) * 20)
        tables[i] = ("<I4I4"):pack(2, 0) .. "\4\4\0\0" .. ("<I4I4"):pack(i % 40, i % 40)
    end
    local bomb = ("<I4I4"):pack(8 + 24 * 40, 40) .. table.concat(offsets) .. table.concat(tables) .. "\0"
    refuses("is in more than one place", dump.undump, bomb)
    local table_of_it = core.new(core.stringpointer(bomb))
    for _ = 1, 100 do
        table_of_it = table_of_it[2]
    end
    refuses("datasheet: the document is cut off", dump.undump, ("<I4I4"):pack(8, 0xffffffff))
    for _, wrong in ipairs {
        "", "short", ("\0"):rep(8), ("\xff"):rep(100), ("<I4I4"):pack(8, 0xffffffff),
        -- The table has more values than there are bytes, or more than can be counted.
        ("<I4I4I4I4I4"):pack(20, 1, 0, 0xffffffff, 0xffffffff), ("<I4I4I4I4I4"):pack(20, 1, 0, 1000, 0),
        -- The string is behind the end, and the table is none.
        ("<I4I4I4I4I4"):pack(28, 1, 0, 1, 0) .. "\5\0\0\0" .. ("<I4"):pack(1),
        ("<I4I4I4I4I4"):pack(28, 1, 0, 1, 0) .. "\4\0\0\0" .. ("<I4"):pack(1),
    } do
        refuses("Invalid datasheet, something is outside of it", core.stringpointer, wrong)
        refuses("", dump.undump, wrong)
        refuses("", dump.diff, dump.dump {}, wrong)
        refuses("", dump.diff, wrong, dump.dump {})
    end
    refuses("Invalid datasheet, it has values of an unknown type", core.stringpointer,
        ("<I4I4I4I4I4"):pack(28, 1, 0, 1, 0) .. "\6\0\0\0\0\0\0\0")
    refuses("Invalid datasheet, its tables overlap", core.stringpointer,
        ("<I4I4"):pack(48, 10) .. ("<I4"):rep(10):pack(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        .. ("<I4I4"):pack(4, 0) .. ("\0"):rep(20))
end

local function read_all(proxy, depth)
    for _, value in pairs(proxy) do
        if type(value) == "table" and depth < 10 then
            read_all(value, depth + 1)
        end
    end
end

--- Documents with some bytes changed, or cut off, are refused, or are other documents.
local function damages()
    local first = dump.dump(content)
    local document = dump.diff(first, dump.dump { 1, { 2 }, a = { b = "x" }, c = { {}, {} } })
    local accepted = {}
    for number = 1, DAMAGES do
        local damaged = document
        for _ = 1, math.random(3) do
            local at = math.random(#damaged)
            local byte = math.random(4) == 1 and 255 or math.random(0, 8)
            damaged = damaged:sub(1, at - 1) .. string.char(byte) .. damaged:sub(at + 1)
        end
        if math.random(10) == 1 then
            damaged = damaged:sub(1, math.random(#damaged))
        end
        local ok, pointer = pcall(core.stringpointer, damaged)
        if ok then
            accepted[number] = damaged
            local made, proxy = pcall(core.new, pointer)
            if made then
                pcall(read_all, proxy, 0)
                pcall(core.update, proxy, core.stringpointer(document .. number))
                pcall(read_all, proxy, 0)
            end
        end
        pcall(dump.undump, damaged)
        pcall(dump.diff, damaged, document)
        pcall(dump.diff, document, damaged)
    end
    local count = 0
    for _ in pairs(accepted) do
        count = count + 1
    end
    assert(count > 0 and count < DAMAGES)
end

skynet.start(function()
    local ok, err = xpcall(function()
        bytes()
        reading()
        updates()
        errors()
        damages()
    end, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

--- skynet.sharedata.core: what objects have, their users, and what is refused.

local skynet = require "skynet.manager"
local core = require "skynet.sharedata.core"
local corelib = require "skynet.sharedata.corelib"
local memory = require "skynet.memory"
local print = require "print_line"
local refuses = require "refuses"
local same = require "same"

local function values()
    local content = {
        1, 2.5, "three", true, false, { "inner", { deep = -1 } },
        [0] = "zero", [-1] = "minus", [math.maxinteger] = "max", [math.mininteger] = "min", [1 << 32] = "wide",
        [""] = "", ["\0"] = "\0\0", long = ("long"):rep(10000), real = 3.0, huge = math.huge, empty = {},
    }
    for i = 1, 1000 do
        content["key " .. i] = i
        content[i * 1000] = { i }
    end
    local object = core.new(content)
    assert(same(corelib.copy(object), content))
    assert(core.len(object) == 6 and core.hashlen(object) == 11 + 2000)
    assert(core.index(object, 1) == 1 and core.index(object, "1") == nil and core.index(object, nil) == nil)
    assert(core.index(object, 7) == nil and core.index(object, "nothing") == nil)
    assert(core.index(object, (1 << 32) + 1) == nil, "a key of 32 bits")
    assert(type(core.index(object, 6)) == "userdata" and core.index(core.index(object, 6), 1) == "inner")
    -- Each key comes once, and those of the array come first.
    local seen, count, key = {}, 0, core.nextkey(object)
    while key ~= nil do
        count = count + 1
        assert(not seen[key] and (count > 6 or key == count))
        seen[key] = true
        key = core.nextkey(object, key)
    end
    assert(count == 6 + 11 + 2000)
    for _, none in ipairs { 7, 1.5, "nothing", (1 << 32) + 1 } do
        assert(select("#", core.nextkey(object, none)) == 0)
    end
    core.delete(object)
    -- Arrays with holes, and tables with nothing.
    object = core.new { 1, nil, 3 }
    assert(core.index(object, 2) == nil and same(corelib.copy(object), { 1, nil, 3 }))
    core.delete(object)
    object = core.new {}
    assert(core.nextkey(object) == nil and core.len(object) == 0 and core.hashlen(object) == 0)
    assert(core.index(object, 1) == nil and core.index(object, "") == nil)
    core.delete(object)
end

local function users()
    local object = core.new { inner = {} }
    assert(core.getref(object) == 0 and core.incref(object) == 1 and core.incref(object) == 2)
    assert(core.decref(object) == 1 and core.getref(object) == 1)
    local box = core.box(object)
    assert(core.getref(object) == 2 and core.needupdate(box) == nil)
    local inner = core.index(object, "inner")
    assert(core.getref(inner) == 2 and core.isdirty(inner) == false)
    core.markdirty(object)
    assert(core.isdirty(inner) == true and core.isdirty(object) == true)
    local newer = core.new {}
    local keeper = {}
    core.update(box, newer, keeper)
    local found, kept = core.needupdate(box)
    assert(found == newer and kept == keeper)
    refuses("You should update a new object", core.update, box, object, keeper)
    box, keeper, kept = nil, nil, nil
    collectgarbage()
    assert(core.getref(object) == 1)
    core.delete(object)
    core.delete(newer)
end

local function errors()
    local cycle = {}
    cycle.cycle = cycle
    local deep = {}
    for _ = 1, 10000 do
        deep = { deep }
    end
    local unsupported = coroutine.create(print)
    local before
    for round = 1, 50 do
        for text, content in pairs {
            ["Invalid key 1.5"] = { [1.5] = 1 },
            ["Invalid key type boolean"] = { [true] = 1 },
            ["Invalid key type table"] = { [{}] = 1 },
            ["Unsupport value type function"] = { { print } },
            ["Unsupport value type thread"] = { inner = { unsupported } },
            ["Unsupport value type userdata"] = { io.stdout, ("text"):rep(10000) },
            ["Tables are nested too deeply, or contain themselves"] = { cycle, deep },
        } do
            local ok, err = pcall(core.new, content)
            assert(not ok and err == text, err)
        end
        refuses("nested too deeply", core.new, deep)
        if round == 10 then
            collectgarbage()
            before = memory.current()
        end
    end
    collectgarbage()
    assert(memory.current() - before < 100000, "objects that failed are left")
    refuses("table expected", core.new)
    refuses("table expected", core.new, "text")
    local object = core.new { 1 }
    local box = core.box(object)
    for _, name in ipairs {
        "delete", "markdirty", "isdirty", "getref", "incref", "decref", "box", "index", "nextkey", "len", "hashlen",
    } do
        for _, wrong in pairs { box, io.stdout, {}, 1, "text", false } do
            refuses("Need a conf object", core[name], wrong, 1)
        end
        refuses("Need a conf object", core[name])
    end
    refuses("Invalid key 1.5", core.index, object, 1.5)
    refuses("string expected, got boolean", core.index, object, true)
    refuses("string expected, got table", core.nextkey, object, {})
    refuses("userdata expected", core.update, {}, object, {})
    refuses("confctrl expected", core.update, io.stdout, object, {})
    refuses("userdata expected, got confctrl", core.update, box, box, {})
    refuses("table expected", core.update, box, object)
    refuses("confctrl expected", core.needupdate, object)
    refuses("confctrl expected", core.needupdate, {})
    -- One that was collected by hand is no user any more, and counts off once.
    local gc = debug.getmetatable(box).__gc
    gc(box)
    gc(box)
    assert(core.getref(object) == 0)
    core.delete(object)
end

local function freed()
    local content = {}
    for i = 1, 10000 do
        content[i] = { name = "name " .. i, text = ("x"):rep(100) .. i }
    end
    collectgarbage()
    local before = memory.current()
    for _ = 1, 5 do
        core.delete(core.new(content))
    end
    collectgarbage()
    assert(memory.current() - before < 100000, "an object is left")
end

skynet.start(function()
    local ok, err = xpcall(function()
        values()
        users()
        errors()
        freed()
    end, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

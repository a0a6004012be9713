--- skynet.sharetable.core: states that own tables, and what is refused.

local skynet = require "skynet.manager"
local core = require "skynet.sharetable.core"
local memory = require "skynet.memory"
local print = require "print_line"
local refuses = require "refuses"

local function tables()
    local matrix = core.matrix("return { ... }", 1, 2.5, true, core.matrix, skynet.pack "x")
    local shared = core.clone(matrix:getptr())
    assert(shared[1] == 1 and shared[2] == 2.5 and shared[3] == true and shared[4] == core.matrix)
    skynet.trash(shared[5], shared[6])
    assert(core.is_sharedtable(shared) and rawequal(shared, core.clone(matrix:getptr())))
    assert(matrix:size() > 0)
    refuses("attempt to change a shared table", function() shared[1] = 2 end)
    refuses("attempt to change a shared table", rawset, shared, 1, 2)
    refuses("can't setmetatable to shared table", setmetatable, shared, {})
    matrix:close()
    matrix:close()
    assert(matrix:getptr() == nil and matrix:size() == 0)
    -- Keys of another state are this one's, short and long.
    local long = ("long"):rep(20)
    matrix = core.matrix([[
        local made = { list = { 1, 2, 3 }, short = "text", [ ("long"):rep(20) ] = "found", f = function(x) return x + 1 end }
        made.list.up = made
        return made
    ]])
    shared = core.clone(matrix:getptr())
    assert(shared.short == "text" and shared[long] == "found" and #shared.list == 3)
    assert(rawequal(shared.list.up, shared) and shared.f(1) == 2 and core.is_sharedtable(shared.list))
    local keys = 0
    for key, value in pairs(shared) do
        assert(shared[key] == value)
        keys = keys + 1
    end
    assert(keys == 4)
    local mine = { [shared] = shared.short }
    assert(mine[core.clone(matrix:getptr())] == "text")
    for _ = 1, 10 do
        collectgarbage()
    end
    assert(shared.list[3] == 3)
    -- No other values are.
    for _, other in pairs { {}, 1, "text", print, true, matrix } do
        assert(core.is_sharedtable(other) == false)
    end
    assert(core.is_sharedtable() == false)
    mine, shared = nil, nil
    collectgarbage()
    matrix:close()
    matrix = core.matrix "@tests/lua/share/board.lua"
    assert(core.clone(matrix:getptr()).name == "board")
    matrix:close()
end

local function errors()
    refuses("string expected", core.matrix)
    refuses("Type invalid", core.matrix, "return {}", "text")
    refuses("Type invalid", core.matrix, "return {}", nil, 1)
    refuses("Only support light C function", core.matrix, "return {}", errors)
    refuses("Only support light C function", core.matrix, "return {}", ("x"):gmatch "x")
    for text, source in pairs {
        ["Not a table, it's a nil."] = "return",
        ["Not a table, it's a number."] = "return 5",
        ["Can't share metatable"] = "return { setmetatable({}, {}) }",
        ["Invalid function with upvalue"] = "local x = 1 return { function() return x end }",
        ["Invalid type [userdata]"] = "return { io.stdout }",
        ["Invalid type [thread]"] = "return { [coroutine.create(print)] = 1 }",
        ["on purpose"] = "error 'on purpose'",
        ["error object is not a string"] = "error {}",
        ["near <eof>"] = "return {",
        ["no such file"] = "@tests/lua/share/no such file",
        ["attempt to yield"] = "coroutine.yield()",
        ["stack overflow"] = "local function f() return f() + 1 end return f()",
    } do
        refuses(text, core.matrix, source)
    end
    for _, wrong in pairs { {}, 1, "text", io.stdout } do
        refuses("the pointer of a shared table expected", core.clone, wrong)
        refuses("thread expected", core.stackvalues, wrong)
    end
    local matrix = core.matrix "return {}"
    refuses("the pointer of a shared table expected", core.clone, matrix)
    for _, name in ipairs { "close", "getptr", "size" } do
        refuses("BOXMATRIXSTATE expected", matrix[name], {})
        refuses("BOXMATRIXSTATE expected", matrix[name])
    end
    matrix:close()
end

local function stacks()
    local values = {}
    assert(core.stackvalues(coroutine.running()) == 0)
    local waiting = coroutine.create(function(...) coroutine.yield(...) return ... end)
    assert(core.stackvalues(waiting, values) == 1 and type(values[1]) == "function")
    refuses("table expected", core.stackvalues, waiting)
    -- Nothing is lost on the way if a value cannot be stored.
    local matrix = core.matrix "return {}"
    refuses("attempt to change a shared table", core.stackvalues, waiting, core.clone(matrix:getptr()))
    matrix:close()
    assert(core.stackvalues(waiting, values) == 1)
    assert(coroutine.resume(waiting, "a", "b"))
    -- Its innermost function is yield, which has given its arguments away.
    assert(core.stackvalues(waiting, values) == 0)
    assert(select("#", coroutine.resume(waiting)) == 3 and coroutine.status(waiting) == "dead")
    assert(core.stackvalues(waiting, values) == 0)
end

local function freed()
    local function round()
        local matrix = core.matrix "local t = {} for i = 1, 10000 do t[i] = { i, 'text ' .. i } end return t"
        assert(core.clone(matrix:getptr())[10000][2] == "text 10000")
        matrix:close()
        pcall(core.matrix, "local t = {} for i = 1, 10000 do t[i] = { i, 'text ' .. i } end return 1")
    end
    round()
    collectgarbage()
    local before = memory.current()
    for _ = 1, 10 do
        round()
    end
    collectgarbage()
    assert(memory.current() - before < 500000, "a state is left")
end

skynet.start(function()
    local ok, err = xpcall(function()
        tables()
        errors()
        stacks()
        freed()
    end, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

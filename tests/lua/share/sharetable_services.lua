--- skynet.sharetable: services read the same tables, and update them wherever they have them.

local skynet = require "skynet.manager"
local sharetable = require "skynet.sharetable"
local core = require "skynet.sharetable.core"
local print = require "print_line"
local refuses = require "refuses"
local versions = require "share.versions"

local READERS <const> = 5
local UPDATES <const> = 60
local role = ...

if role == "reader" then
    local shared, opened
    local check = versions.check

    local command = {}

    function command.open(name)
        opened = name
        shared = sharetable.query(name)
        return check(shared)
    end

    -- Goes on to newer versions until the last one has come.
    function command.follow(last)
        local list, deep = shared.list, shared.deep.deep
        local number = check(shared)
        while number < last do
            sharetable.update(opened)
            local now = check(shared)
            assert(now >= number and deep.number == now and rawequal(list, shared.list))
            number = now
            collectgarbage "step"
        end
        return number
    end

    versions.serve(command)
    return
end

local function sources()
    sharetable.loadtable("table", { x = 1, list = { "a" }, [5] = true })
    sharetable.loadstring("text", "local a, b = ... return { sum = a + b }", 1, 2)
    sharetable.loadfile("tests/lua/share/board.lua", 7)
    local shared = sharetable.query "table"
    assert(shared.x == 1 and shared.list[1] == "a" and shared[5] and core.is_sharedtable(shared.list))
    assert(rawequal(shared, sharetable.query "table"))
    assert(sharetable.query "text".sum == 3 and sharetable.query "nothing" == nil)
    local board = sharetable.query "tests/lua/share/board.lua"
    assert(board.name == "board" and board[1] == 7)
    local all = sharetable.queryall()
    assert(rawequal(all.table, shared) and all.text.sum == 3 and rawequal(all["tests/lua/share/board.lua"], board))
    local some = sharetable.queryall { "text", "nothing" }
    assert(some.text.sum == 3 and next(some, next(some)) == nil)
    refuses("a table expected, got string", sharetable.loadtable, "wrong", "text")
    -- What fails leaves what there was.
    for _, wrong in ipairs { "return 5", "return {", "error 'on purpose'", "return { io.stdout }" } do
        assert(not pcall(sharetable.loadstring, "text", wrong))
    end
    assert(not pcall(sharetable.loadfile, "no such file"))
    assert(sharetable.query "text".sum == 3 and sharetable.query "no such file" == nil)
    refuses("attempt to change a shared table", function() shared.x = 2 end)
end

local upvalue, of_string

--- Holds old tables in every kind of place, and has them replaced.
local function places()
    sharetable.loadtable("places", { version = 1, inner = { version = 1 }, gone = { 1 }, scalar = { 1 }, meta = {
        __index = { method = 1 },
    } })
    local old = sharetable.query "places"
    local inner, gone, scalar = old.inner, old.gone, old.scalar
    upvalue = old
    local in_table = { value = old, inner = inner, gone = gone, [inner] = "key", [gone] = "lost", nested = { { inner } } }
    local with_metatable = setmetatable({}, old.meta)
    local by_metatable = setmetatable({}, { __index = inner })
    local closure = (function() local hidden = inner return function() return hidden end end)()
    local sleeping = coroutine.create(function(...)
        local variable, other = inner, gone
        coroutine.yield()
        return variable, other, ...
    end)
    coroutine.resume(sleeping, scalar, inner)
    local fresh = coroutine.create((function() local hidden = inner return function() return hidden end end)())
    local wrapped = coroutine.wrap(function()
        local variable = inner
        -- The coroutine that updates, on top of others.
        local inside = coroutine.wrap(function()
            sharetable.update "places"
            return variable
        end)
        local _ = skynet
        return variable, inside
    end)
    local same_before, inside = wrapped()
    assert(rawequal(same_before, inner))
    debug.getmetatable "".__shared = inner
    of_string = debug.getmetatable "".__shared
    local weak = setmetatable({ inner, old }, { __mode = "v" })
    local cycle = { inner }
    cycle.cycle = cycle
    local function with_varargs(...)
        sharetable.update "places"
        return ...
    end

    sharetable.update "places"
    assert(rawequal(upvalue, old) and old.version == 1, "there is no newer version")

    sharetable.loadtable("places", { version = 2, inner = { version = 2 }, scalar = 5, meta = {
        __index = { method = 2 },
    } })
    assert(old.version == 1)
    local results = table.pack(with_varargs(inner, gone, old))
    local new = sharetable.query "places"
    assert(rawequal(old, new) and old.version == 2 and rawequal(upvalue, new))
    assert(rawequal(inner, new.inner) and gone == nil and scalar == 5)
    assert(rawequal(results[1], inner) and results[2] == nil and results.n == 3 and rawequal(results[3], new))
    assert(rawequal(in_table.value, new) and rawequal(in_table.inner, inner) and in_table.gone == nil)
    assert(in_table[inner] == "key" and rawequal(in_table.nested[1][1], inner))
    for key, value in pairs(in_table) do
        assert(value ~= "lost" and type(key) == "string" or rawequal(key, inner))
    end
    assert(with_metatable.method == 2 and rawequal(getmetatable(with_metatable), new.meta))
    assert(by_metatable.version == 2 and rawequal(closure(), inner))
    local ok, variable, other, vararg, last = coroutine.resume(sleeping)
    assert(ok and rawequal(variable, inner) and other == nil and vararg == 5 and rawequal(last, inner))
    local _, result = coroutine.resume(fresh)
    assert(rawequal(result, inner))
    assert(rawequal(debug.getmetatable "".__shared, inner) and rawequal(of_string, inner))
    assert(rawequal(weak[1], inner) and rawequal(weak[2], new) and rawequal(cycle[1], inner))
    debug.getmetatable "".__shared = nil
    of_string = nil
    assert(inside)
    -- Names that nobody asked for.
    sharetable.update("nothing", "places")
end

--- Tables that are in several places, and in themselves.
local function shapes()
    local text = [[
        local version = ...
        local made = { version = version, inner = { version = version } }
        made.again, made.self, made.inner.up = made.inner, made, made
        return made
    ]]
    sharetable.loadstring("shape", text, 1)
    local shape = sharetable.query "shape"
    local inner = shape.again
    sharetable.loadstring("shape", text, 2)
    sharetable.update "shape"
    assert(shape.version == 2 and inner.version == 2 and rawequal(shape.self, shape) and rawequal(inner.up, shape))
end

--- A table that is replaced by what cannot be a key.
local function keys()
    sharetable.loadstring("keys", "return { version = 1, inner = {} }")
    local shared = sharetable.query "keys"
    local holder = { [shared.inner] = "lost" }
    sharetable.loadstring("keys", "return { version = 2, inner = 0/0 }")
    sharetable.update "keys"
    assert(shared.version == 2 and next(holder) == nil)
end

local function info()
    return skynet.call(require "skynet.service".query "sharetable", "debug", "INFO")
end

local function load()
    sharetable.loadtable("load", versions.content(1))
    return versions.follow("sharetable_services", READERS, "load", UPDATES, function(number)
        sharetable.loadtable("load", versions.content(number))
    end)
end

--- How many versions of a name services use.
local function used_versions(name)
    local _, count = (info()[name].history or ""):gsub("%(", "")
    return count
end

--- How much memory the service has that owns the tables; not in its own state.
local function owned()
    return require "skynet.memory".info()[require "skynet.service".query "sharetable"]
end

local function without_a_name()
    local before = owned()
    assert(not pcall(sharetable.loadstring, nil, "return { ('x'):rep(5000000) }"))
    assert(not pcall(sharetable.loadstring, 0/0, "return { ('x'):rep(5000000) }"))
    assert(owned() - before < 1000000, "a table without a name is left")
end

local function versions_are_given_up()
    local before = owned()
    local readers = load()
    assert(owned() - before > 1000000)
    local made = info().load
    assert(type(made.current) == "userdata" and made.size > 10000 and used_versions "load" > 1)
    for _, reader in ipairs(readers) do
        assert(made.history:find(skynet.address(reader), 1, true))
        skynet.kill(reader)
    end
    -- Nobody uses one now; the current one is kept, and closed when there is another.
    while used_versions "load" > 0 do
        skynet.sleep(1)
    end
    sharetable.loadtable("load", {})
    assert(used_versions "load" == 0 and info().load.size < made.size)
    assert(owned() - before < 500000, "versions are left")
end

skynet.start(function()
    local ok, err = xpcall(function()
        sources()
        places()
        shapes()
        keys()
        without_a_name()
        versions_are_given_up()
    end, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

--- skynet.sharedata: many services read what one of them updates. They never see half an update, and what was replaced
--- is freed when the last of them lets go of it.

local skynet = require "skynet.manager"
local sharedata = require "skynet.sharedata"
local core = require "skynet.sharedata.core"
local print = require "print_line"
local refuses = require "refuses"
local versions = require "share.versions"

local READERS <const> = 5
local UPDATES <const> = 200
local role = ...

if role == "reader" then
    local shared

    -- The service is told of another object between two of its tasks only: all parts are of one version.
    local function check()
        return versions.check(shared)
    end

    local command = {}

    function command.open(name)
        shared = sharedata.query(name)
        return check()
    end

    function command.follow(last)
        local list = shared.list
        local inner = shared.deep.deep
        local number = check()
        while number < last do
            skynet.yield()
            local now = check()
            assert(now >= number, "versions go back")
            -- What was taken out of it before follows, too.
            assert(inner.number == now and list[100].number == now)
            assert(rawequal(shared.list, list))
            number = now
        end
        return number
    end

    function command.number()
        return shared.number
    end

    -- What a reader has left is let go of when Lua collects it.
    function command.collect()
        collectgarbage()
        return true
    end

    function command.flush()
        sharedata.flush()
        return true
    end

    function command.forget()
        shared = nil
        collectgarbage()
        return true
    end

    -- Ends when it has been told of an update, before it can say that it has heard of it.
    function command.vanish(name, other)
        local _, last = sharedata.query(name), sharedata.query(other)
        local owner = skynet.queryservice "sharedatad"
        skynet.yield()
        skynet.send(owner, "lua", "update", name, { text = ("gone"):rep(5000000) })
        skynet.send(owner, "lua", "update", other, {})
        while not core.isdirty(last.__obj) do
            -- This task does not let the answers in.
        end
        skynet.exit()
    end

    versions.serve(command)
    return
end

--- Waits until a proxy has gone on; the service is told of an update by a message of its own.
local function wait_for(proxy, key, value)
    while proxy[key] ~= value do
        skynet.yield()
    end
end

local function programs()
    sharedata.new("source", "local a, b = ... return { sum = a + b, list = { a, b } }", 1, 2)
    assert(sharedata.query "source".sum == 3 and sharedata.query "source".list[2] == 2)
    sharedata.new("globals", "x = 1 y = { z = math.type(x) } ignored = nil return 5")
    local globals = sharedata.query "globals"
    assert(globals.x == 1 and globals.y.z == "integer" and globals.math == nil)
    sharedata.new("file", "@tests/lua/share/place.lua", "here")
    assert(sharedata.query "file".name == "here" and sharedata.deepcopy("file", "list", 2) == "b")
    sharedata.new "empty"
    assert(next(sharedata.deepcopy "empty") == nil and #sharedata.query "empty" == 0)
end

local function proxies()
    sharedata.new("proxy", { a = 1, b = { "hello", "world", c = { d = false } }, [5] = "five" })
    local proxy = sharedata.query "proxy"
    assert(proxy == sharedata.query "proxy")
    local b = proxy.b
    assert(#b == 2 and #proxy == 0 and b.c.d == false and proxy[5] == "five" and proxy.nothing == nil)
    assert(rawequal(b, proxy.b) and rawequal(b.c, proxy.b.c))
    local keys = {}
    for key, value in pairs(b) do
        table.insert(keys, key)
        assert(rawequal(value, b[key]))
    end
    assert(#keys == 3 and keys[1] == 1 and keys[2] == 2 and keys[3] == "c")
    -- A message has a copy.
    local copy = skynet.unpack(skynet.packstring(proxy))
    assert(getmetatable(copy) == nil and copy.b[2] == "world" and copy.b.c.d == false)
    refuses("Error newindex, the key []", function() proxy.a = 2 end)
    refuses("Error newindex, the key [.b.c]", function() b.c.d = 2 end)
    assert(sharedata.deepcopy("proxy", "b", 1) == "hello" and sharedata.deepcopy("proxy", "b", "c").d == false)
    assert(sharedata.deepcopy("proxy", "b", "c", "d") == false and sharedata.deepcopy("proxy", "x", "y") == nil)

    sharedata.update("proxy", { a = 2, b = "no table" })
    wait_for(proxy, "a", 2)
    assert(proxy.b == "no table")
    refuses("The key [.b] doesn't exist after update", function() return b[1] end)
    refuses("The key [.b] doesn't exist after update", function() return #b end)
    refuses("The key [.b] doesn't exist after update", pairs(b), b)
    sharedata.update("proxy", { a = 3, b = { "back" } })
    wait_for(proxy, "a", 3)
    assert(proxy.b[1] == "back" and not rawequal(proxy.b, b))
    -- An update of what does not exist makes it.
    sharedata.update("updated", { 1 })
    assert(sharedata.query "updated"[1] == 1)
end

local function failures()
    sharedata.new("failing", { number = 1 })
    local proxy = sharedata.query "failing"
    for _, wrong in ipairs {
        { { number = 2, [1.5] = true } }, { "return {" }, { "error 'on purpose'" }, { "return { print }" },
        { "@tests/lua/share/no such file" }, { 5 }, { true },
    } do
        assert(not pcall(sharedata.update, "failing", table.unpack(wrong)))
        assert(not pcall(sharedata.new, "never", table.unpack(wrong)))
    end
    assert(proxy.number == 1 and not pcall(sharedata.query, "never"))
    assert(not pcall(sharedata.new, "failing", {}), "a name was made twice")
    assert(not pcall(sharedata.delete, "never") and not pcall(sharedata.deepcopy, "never"))
    sharedata.update("failing", { number = 2 })
    wait_for(proxy, "number", 2)
    sharedata.delete "failing"
    assert(proxy.number == 2 and not pcall(sharedata.query, "failing"))
    sharedata.new("failing", { number = 3 })
    assert(sharedata.query "failing".number == 3 and proxy.number == 2)
end

--- How much memory the service has that owns the objects.
local function owned()
    local owner = skynet.queryservice "sharedatad"
    local bytes = require "skynet.memory".info()[owner]
    return assert(bytes, "sharedatad is not among the services")
end

--- Waits until it is less than a limit; the node's deadline ends a wait in vain.
local function wait_until_freed(limit)
    while owned() > limit do
        skynet.sleep(10)
    end
end

local function load()
    local name = "load"
    sharedata.new(name, versions.content(1))
    local readers = versions.follow("sharedata_services", READERS, name, UPDATES, function(number)
        sharedata.update(name, versions.content(number))
    end)
    return name, readers
end

local function what_is_replaced(name, readers)
    -- As large as an update is: 20 MB.
    local huge = { number = 1000, text = ("huge"):rep(5000000) }
    for _, reader in ipairs(readers) do
        skynet.call(reader, "lua", "flush")
    end
    local before = owned()
    sharedata.update(name, huge)
    for _, reader in ipairs(readers) do
        assert(skynet.call(reader, "lua", "number") == 1000)
    end
    sharedata.update(name, { number = 1001 })
    -- All but one go on, by reading or by flushing; the last one holds what it had.
    for i = 2, #readers do
        if i % 2 == 0 then
            skynet.call(readers[i], "lua", "flush")
        else
            assert(skynet.call(readers[i], "lua", "number") == 1001)
            skynet.call(readers[i], "lua", "collect")
        end
    end
    -- It has been looked at when another one is freed.
    sharedata.update(name .. " other", { text = ("other"):rep(4000000) })
    sharedata.update(name .. " other", {})
    wait_until_freed(before + 30000000)
    assert(owned() > before + 15000000, "a version is gone that somebody reads")
    skynet.call(readers[1], "lua", "flush")
    wait_until_freed(before + 5000000)
    -- Who has let go, and who is gone, holds nothing.
    sharedata.update(name, huge)
    for _, reader in ipairs(readers) do
        assert(skynet.call(reader, "lua", "number") == 1000)
    end
    skynet.call(readers[1], "lua", "forget")
    for i = 2, #readers do
        skynet.kill(readers[i])
    end
    sharedata.delete(name)
    wait_until_freed(before + 5000000)
end

local function who_is_gone_holds_nothing()
    sharedata.new("first", {})
    sharedata.new("last", {})
    local before = owned()
    assert(not pcall(skynet.call, skynet.newservice("sharedata_services", "reader"), "lua", "vanish", "first", "last"))
    sharedata.update("first", {})
    wait_until_freed(before + 5000000)
end

local function run()
    programs()
    proxies()
    failures()
    what_is_replaced(load())
    who_is_gone_holds_nothing()
end

skynet.start(function()
    local ok, err = xpcall(run, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

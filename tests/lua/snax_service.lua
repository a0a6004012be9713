--- snax: interfaces, services, objects and hotfixes.

local skynet = require "skynet.manager"
local snax = require "skynet.snax"
local read_interface = require "snax.interface"
local hotfix = require "snax.hotfix"
local check = require "socket_check"

--- The interface of a program, and the environment it has run in.
local function read(text, env)
    env = env or {}
    local methods, pattern = read_interface("inline", env, function(path, name, given)
        assert(path == skynet.getenv "snax" and name == "inline" and given == env)
        return assert(load(text, "=inline", "t", env)), "where/?.lua"
    end)
    assert(pattern == "where/?.lua")
    return methods, env
end

local function interfaces()
    local methods, env = read [[
        kept = 'a global'
        function response.second(a) return kept, a end
        function accept.first() end
        function exit() end
        function response.first() return init == nil, kept end
    ]]
    local found = {}
    for i, method in ipairs(methods) do
        found[i] = table.concat({ method[1], method[2], method[3], type(method[4]) }, " ")
    end
    check.equal(table.concat(found, "\n"), table.concat({
        "1 system init nil", "2 system exit function", "3 system hotfix nil", "4 system profile nil",
        "5 response second function", "6 accept first function", "7 response first function",
    }, "\n"), "numbers")
    check.equal(env.kept, "a global", "a global of the file")
    assert(not getmetatable(env) and not env.exit and not env.accept and not env.response)
    check.equal(select(2, methods[5][4](7)), 7, "a method")

    for text, reason in pairs {
        ["accept[1] = print"] = "inline:1: accept method only support string",
        ["response.x = 1"] = "inline:1: response.x must be function",
        ["function accept.x() end function accept.x() end"] = "inline:1: accept.x duplicate definition",
        ["init = 1"] = "inline:1: init must be a function",
        ["nothing()"] = "global 'nothing'",
    } do
        local used = {}
        check.fails(reason, read, text, used)
        assert(not getmetatable(used), "the environment is free again")
    end
    check.fails("metatable", read, "", setmetatable({}, {}))
    check.fails("accept", read, "", { accept = {} })
    check.fails("no_such", read_interface, "no_such", {})
    check.fails("100%", read_interface, "100%", {})
end

local function hotfixes()
    local function service()
        return read [[
            local state, other = 1, { name = 'other' }
            local function helper() state = state + 1 return state end
            function response.next() return helper() end
            function response.other() return other.name, limit end
            local deep = 5
            local function look() return deep end
            function response.deep() return look() end
            function accept.untouched() return state, other end
            limit = 10
        ]]
    end

    local methods, env = service()
    local functions = {}
    for i, method in ipairs(methods) do
        functions[method[2] .. "." .. method[3]] = i
    end
    local function run(name, ...)
        return methods[functions[name]][4](...)
    end
    check.equal(run "response.next", 2, "before")
    -- State by name, through a function of the patch that calls itself, and the globals.
    local ok, result, more = hotfix(methods, [[
        local state, other
        local function back(n) if n > 0 then state = state - 1 return back(n - 1) end return state end
        function response.next() return back(2) end
        function response.other() return other.name .. '!', limit + 1 end
        function hotfix(...) state = state + 100 limit = 20 return state, ... end
    ]], "argument")
    assert(ok, result)
    check.equal(result, 102, "what hotfix returns")
    check.equal(more, "argument", "its argument")
    check.equal(run "response.next", 100, "after")
    local name, limit = run "response.other"
    check.equal(name, "other!", "a kept table")
    check.equal(limit, 21, "a global of the service")
    check.equal(env.limit, 20, "a global set by the patch")

    -- What only a function of the service refers to.
    ok, result = hotfix(methods, "local deep function response.deep() return deep * 2 end")
    assert(ok, result)
    check.equal(run "response.deep", 10, "a local of a function")

    -- A patch on the patch.
    ok, result = hotfix(methods, "local state function response.next() return 'again', state end")
    assert(ok, result)
    local again, value = run "response.next"
    assert(again == "again" and value == 100)

    -- Nothing happens unless all of it fits.
    local before = {}
    for i, method in ipairs(methods) do
        before[i] = method[4]
    end
    for patch, reason in pairs {
        ["function response.next() end function response.new() end"] = "Patch mismatch response.new",
        ["function accept.next() end"] = "Patch mismatch accept.next",
        ["response.next = 5"] = "patch:1: response.next must be function",
        ["this is no program"] = "syntax error",
        ["error 'early'"] = "early",
    } do
        ok, result = hotfix(methods, patch)
        assert(not ok and result:find(reason, 1, true), result)
    end
    for i, method in ipairs(methods) do
        assert(before[i] == method[4], "replaced")
    end

    -- Two things of one name.
    methods = read [[
        do local x = 1 function response.a() return x end end
        do local x = 2 function response.b() return x end end
    ]]
    ok, result = hotfix(methods, "function response.a() end")
    assert(not ok and result == "ambiguity local value x", result)
end

local exits = {}

local function services()
    local counter = snax.newservice("counter", skynet.self(), "good", "day")
    check.equal(counter.type, "counter", "its type")
    check.equal(tostring(counter), ("[counter:%x]"):format(counter.handle), "as text")
    assert(snax.bind(counter.handle, "counter") == counter)
    check.fails("is a counter, not a broken", snax.bind, counter.handle, "broken")
    counter.post.add(5)
    counter.post.add(6)
    local count, greeting = counter.req.get()
    check.equal(count, 11, "count")
    check.equal(greeting, "good day", "arguments of init")
    check.fails("post counter:get no exist", function() counter.post.get() end)
    check.fails("request counter:add no exist", function() counter.req.add() end)

    local name, path, accept, response, helper = counter.req.place()
    check.equal(name, "counter", "SERVICE_NAME")
    check.equal(path, "./tests/lua/snax/counter/", "SERVICE_PATH")
    check.equal(accept or response, nil, "only while the file is read")
    check.equal(helper, "the helper beside counter", "a module of its own")
    check.equal(counter.req.loader(), "loaded counter", "snax_loader")
    check.equal(require "snax.globals".reading(), 2, "snax_interface_g")
    local text, handle = counter.req.self()
    check.equal(text, tostring(counter), "snax.self")
    check.equal(handle, counter.handle, "its handle")
    check.fails("call failed", counter.req.fail)
    counter.post.fail()

    -- The wire: numbers and arguments.
    local ids = snax.interface "counter"
    assert(ids == snax.interface "counter")
    check.equal(ids.system.init, 1, "init")
    check.equal(ids.system.profile, 4, "profile")
    check.equal(ids.accept.add, 5, "the first method")
    check.equal(skynet.call(counter.handle, "snax", ids.response.get), 11, "by number")
    check.fails("call failed", skynet.call, counter.handle, "snax", 1000)
    check.fails("call failed", skynet.call, counter.handle, "snax")
    check.fails("call failed", skynet.call, counter.handle, "snax", 1)
    check.fails("call failed", skynet.call, counter.handle, "lua", ids.response.get)
    counter.post.open()
    check.equal(skynet.call(counter.handle, "lua", ids.response.get), 11, "enablecluster")

    counter.req.spin(100000)
    local profile = snax.profile_info(counter)
    check.equal(profile.add.count, 2, "calls")
    check.equal(profile.fail.count, 2, "failures count")
    assert(profile.spin.time > 0 and profile.spin.time < 60)
    check.equal(skynet.call(counter.handle, "debug", "INFO").add.count, 2, "INFO")

    check.equal(snax.hotfix(counter, [[
        local count
        function accept.add(n) count = count - n end
        function hotfix(n) count = n return 'fixed', n end
    ]], 50), "fixed", "hotfix")
    counter.post.add(8)
    check.equal((counter.req.get()), 42, "after the hotfix")
    check.fails("Patch mismatch response.none", snax.hotfix, counter, "function response.none() end")

    snax.kill(counter, "bye", 1)
    check.eventually("exit", function() return #exits > 0 end)
    check.equal(table.concat(table.remove(exits), " "), "42 bye 1", "its last words")
    check.fails("call", counter.req.get)
    local other = snax.newservice("counter", skynet.self())
    other.post.quit "by itself"
    check.eventually("exit", function() return #exits > 0 end)
    check.equal(table.concat(table.remove(exits), " "), "0 by itself", "snax.exit")
end

local function starting()
    -- Objects that nobody has any more are not kept.
    local kept = setmetatable({ (snax.bind(skynet.self(), "counter")) }, { __mode = "v" })
    collectgarbage()
    check.equal(kept[1], nil, "an object that nobody has")
    -- Without init nothing runs, not even exit.
    local handle = skynet.newservice("snaxd", "counter")
    local raw = snax.bind(handle, "counter")
    check.fails("call failed", raw.req.get)
    check.fails("call failed", snax.kill, raw)
    skynet.kill(handle)
    check.fails("call failed", snax.newservice, "broken", "init is broken")
    check.fails("no_such", snax.newservice, "no_such")
    assert(not pcall(skynet.newservice, "snaxd", "no_such"))
end

local function unique()
    local waited
    skynet.fork(function()
        waited = snax.queryservice "counter"
    end)
    local first = snax.uniqueservice("counter", skynet.self(), "unique")
    assert(first == snax.uniqueservice("counter", skynet.self(), "not again"))
    check.eventually("queryservice", function() return waited end)
    assert(waited == first)
    check.equal(select(2, first.req.get()), "unique", "arguments of init")
    local global = snax.globalservice("counter", skynet.self(), "global")
    assert(global ~= first and global == snax.queryglobal "counter")
    check.equal(select(2, global.req.get()), "global", "arguments of init")
    check.fails("call failed", snax.uniqueservice, "broken", "init is broken")
    snax.kill(first)
    snax.kill(global)
end

skynet.init(function()
    skynet.dispatch("lua", function(_, _, what, ...)
        assert(what == "exit")
        table.insert(exits, { ... })
    end)
end)

check.main {
    { "interfaces", interfaces },
    { "hotfixes", hotfixes },
    { "services", services },
    { "starting", starting },
    { "unique", unique },
    { "printf", function() snax.printf("%s of %d", "printf", 5) end },
}

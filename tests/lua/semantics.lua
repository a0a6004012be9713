--- What the API promises, one case after another.

local skynet = require "skynet.manager"
local queue = require "skynet.queue"

local role, peer = ...

skynet.register_protocol { name = "other", id = 100, pack = skynet.pack, unpack = skynet.unpack }

if role == "small" then
    skynet.memlimit(4 << 20)
    role = "server"
end

if role == "server" then
    local held = {}
    local command = {}
    function command.echo(...)
        skynet.retpack(...)
    end
    function command.fail()
        error "failed on purpose"
    end
    function command.sleep(ti)
        skynet.sleep(ti)
        skynet.retpack "slept"
    end
    function command.hold()
        table.insert(held, skynet.response())
    end
    function command.test()
        local states = {}
        for i, answer in ipairs(held) do
            states[i] = answer "TEST"
        end
        skynet.retpack(table.unpack(states))
    end
    function command.release(...)
        local sent = {}
        for i, answer in ipairs(held) do
            sent[i] = answer(...)
        end
        held = {}
        skynet.retpack(table.unpack(sent))
    end
    function command.twice()
        skynet.retpack "once"
        skynet.error("second answer:", pcall(skynet.retpack, "twice"))
    end
    function command.ignore()
        skynet.ignoreret()
    end
    function command.fill()
        -- Small blocks only: in the end there is no room for a call frame.
        local list
        while true do
            list = { list }
        end
    end
    function command.exit()
        skynet.exit()
    end
    skynet.start(function()
        skynet.dispatch("lua", function(_, _, name, ...)
            command[name](...)
        end)
    end)
    return
elseif role == "forward" then
    skynet.register_protocol {
        name = "forwarded",
        id = 101,
        unpack = function(msg, sz)
            return msg, sz
        end,
    }
    skynet.forward_type({ [skynet.PTYPE_LUA] = 101, [skynet.PTYPE_RESPONSE] = skynet.PTYPE_RESPONSE }, function()
        skynet.dispatch("forwarded", function(_, _, msg, sz)
            skynet.ret(skynet.rawcall(tonumber(peer), "lua", msg, sz))
        end)
    end)
    return
elseif role == "brief" then
    skynet.start(skynet.exit)
    return
elseif role == "broken" then
    skynet.start(function()
        error "does not start"
    end)
    return
end

local case = {}

-- Raises unless func(...) raises; returns the error.
local function raises(func, ...)
    local ok, err = pcall(func, ...)
    assert(not ok, "it should have failed")
    return tostring(err)
end

function case.calls(server)
    local a, b, c = skynet.call(server, "lua", "echo", 1, nil, "x")
    assert(a == 1 and b == nil and c == "x")
    assert(skynet.call(skynet.address(server), "lua", "echo", 2) == 2)
    assert(skynet.send(server, "lua", "echo") == 0)
    assert(skynet.send(0xfffff0, "lua", "echo") == nil)
    assert(raises(skynet.call, server, "lua", "fail"):find "call failed")
    assert(raises(skynet.call, server, "other", "nobody handles it"):find "call failed")
    assert(raises(skynet.call, 0xfffff0, "lua"):find "call to invalid address :00fffff0")
    assert(raises(skynet.rawcall, ".nobody", "lua", ""):find "call to invalid address")
    skynet.call(server, "lua", "twice")
end

function case.death()
    local server = skynet.newservice("semantics", "server")
    raises(skynet.call, server, "lua", "exit")
    server = skynet.newservice("semantics", "server")
    local results = {}
    for _, name in ipairs { "sleep", "hold" } do
        skynet.fork(function()
            results[name] = pcall(skynet.call, server, "lua", name, 1000)
            skynet.wakeup(results)
        end)
    end
    -- Those who wait for a service are told by its exit.
    skynet.fork(skynet.send, server, "lua", "exit")
    repeat
        skynet.wait(results)
    until results.sleep ~= nil and results.hold ~= nil
    assert(results.sleep == false and results.hold == false)
end

function case.lack_of_memory()
    local server = skynet.newservice("semantics", "small")
    for i = 1, 3 do
        for request, answer in skynet.request { server, "lua", "fill" }:select(1000) do
            assert(request and answer == false)
            goto told
        end
        error "nobody said that it failed"
        ::told::
        assert(skynet.call(server, "lua", "echo", i) == i)
    end
end

function case.response(server)
    local results = {}
    local function hold(i)
        results[i] = table.pack(pcall(skynet.call, server, "lua", "hold"))
        skynet.wakeup(results)
    end
    skynet.fork(hold, 1)
    skynet.yield()
    assert(skynet.call(server, "lua", "test") == true)
    assert(skynet.call(server, "lua", "release", true, "late") == true)
    while not results[1] do
        skynet.wait(results)
    end
    assert(results[1][1] and results[1][2] == "late")
    skynet.fork(hold, 2)
    skynet.yield()
    skynet.call(server, "lua", "release", false)
    while not results[2] do
        skynet.wait(results)
    end
    assert(results[2][1] == false)
end

function case.requests(server)
    local answers = {}
    for request, response in skynet.request
        { server, "lua", "sleep", 3, name = "slow" }
        { server, "lua", "echo", 7, name = "fast" }
        { server, "lua", "fail", name = "failing" }
        { 0xfffff0, "lua", name = "nobody" }
        :select() do
        answers[request.name] = response and response[1] or tostring(response)
    end
    assert(answers.slow == "slept" and answers.fast == 7)
    assert(answers.failing == "false" and answers.nobody == "nil")

    local late = skynet.request { server, "lua", "sleep", 100 } { server, "lua", "ignore" }
    for _ in late:select(2) do
        error "too late"
    end
    assert(late.timeout == true)
end

function case.order()
    local seen = {}
    local function note(what)
        table.insert(seen, what)
    end
    skynet.fork(function(...)
        note("fork " .. select("#", ...))
        skynet.fork(note, "inner fork")
    end, nil, nil)
    skynet.fork(note, "second fork")
    local sleeper = skynet.fork(function()
        assert(skynet.sleep(1000) == "BREAK")
        note "woken"
    end)
    note "main"
    skynet.yield()
    assert(skynet.wakeup(sleeper) and not skynet.wakeup "nobody")
    skynet.fork(note, "after the woken")
    skynet.yield()
    assert(table.concat(seen, ",") == "main,fork 2,second fork,inner fork,woken,after the woken")
    assert(select("#", skynet.sleep(0)) == 0)
    skynet.fork(skynet.wait, "token")
    skynet.yield()
    assert(raises(skynet.wait, "token"):find "token duplicative")
    skynet.wakeup "token"
end

function case.critical_sections()
    local section = queue()
    local seen = {}
    for i = 1, 3 do
        skynet.fork(function()
            local ok, value = pcall(section, function()
                table.insert(seen, i)
                skynet.yield()
                if i == 2 then
                    error "inside"
                end
                return section(function()
                    return -i
                end)
            end)
            table.insert(seen, ok and value or "failed")
            skynet.wakeup(seen)
        end)
    end
    while #seen < 6 do
        skynet.wait(seen)
    end
    assert(table.concat(seen, ",") == "1,-1,2,failed,3,-3")
end

function case.killed_tasks(server)
    local closed = false
    local co = skynet.fork(function()
        local guard <close> = setmetatable({}, {
            __close = function()
                closed = true
            end,
        })
        skynet.call(server, "lua", "sleep", 1)
        error "not reached"
    end)
    skynet.yield()
    assert(skynet.task(co) and skynet.killthread(co) == co and closed)
    local forked = skynet.fork(error, "not reached")
    assert(skynet.killthread(forked) == forked)
    skynet.sleep(2)
    assert(skynet.killthread "no such thread" == nil)
    assert(skynet.killthread(nil) == nil and skynet.killthread(1.5) == nil)
end

function case.launches()
    assert(skynet.newservice("semantics", "brief") == nil)
    raises(skynet.newservice, "semantics", "broken")
    raises(skynet.newservice, "there-is-no-such-service")
    raises(skynet.uniqueservice, "there-is-no-such-service")
    local found
    skynet.fork(function()
        found = skynet.queryservice "semantics"
        skynet.wakeup "found"
    end)
    skynet.yield()
    local unique = skynet.uniqueservice("semantics", "server")
    if not found then
        skynet.wait "found"
    end
    assert(found == unique and skynet.uniqueservice "semantics" == unique)
    assert(skynet.uniqueservice(true, "semantics", "server") == skynet.queryservice(true, "semantics"))
end

function case.forwarding(server)
    local proxy = skynet.newservice("semantics", "forward", server)
    for i = 1, 100 do
        assert(skynet.call(proxy, "lua", "echo", i) == i)
    end
    raises(skynet.call, proxy, "lua", "fail")
    assert(skynet.call(proxy, "lua", "echo", "still there") == "still there")
end

function case.debug_commands(server)
    assert(type(skynet.call(server, "debug", "MEM")) == "number")
    assert(skynet.call(server, "debug", "STAT").mqlen == 0)
    assert(skynet.call(server, "debug", "SUPPORT", "lua") and not skynet.call(server, "debug", "SUPPORT", "x"))
    local ok, output = skynet.call(server, "debug", "RUN", "print(..., _P.lua.command ~= nil)", "file", "hi")
    assert(ok and output == "hi\ttrue")
    raises(skynet.call, server, "debug", "NO SUCH COMMAND")
    assert(skynet.call(".launcher", "lua", "LIST")[skynet.address(server)] == "snlua semantics server")
end

function case.unknown_messages()
    local seen
    local previous = skynet.dispatch_unknown_request(function(_, _, msg, sz, typename)
        seen = typename .. " " .. skynet.unpack(msg, sz)
    end)
    skynet.send(skynet.self(), "other", "data")
    skynet.yield()
    skynet.dispatch_unknown_request(previous)
    assert(seen == "other data")
end

skynet.start(function()
    local server = skynet.newservice("semantics", "server")
    local failed = 0
    for name, run in pairs(case) do
        local ok, err = xpcall(run, debug.traceback, server)
        if not ok then
            failed = failed + 1
            print(name .. ": " .. tostring(err))
        end
    end
    io.stdout:write(failed == 0 and "passed\n" or "failed\n")
    skynet.abort()
end)

--- Uses the services of server.lua at the config's `first` and `second`, 127.0.0.1 and a port each; prints `passed`. It
--- runs on the reference, too, to call nodes of this project.

local skynet = require "skynet.manager"
local cluster = require "skynet.cluster"
local print_line = require "print_line"

local first, second = skynet.getenv "first", skynet.getenv "second"
local LATER <const> = 10

local function equal(found, wanted)
    if found ~= wanted then
        error(("%s instead of %s"):format(found, wanted), 2)
    end
end

-- A call that fails; the error is raised here.
local function fails(...)
    local ok, reason = pcall(...)
    equal(ok, false)
    assert(tostring(reason):find "call failed", reason)
end

local test = {}

function test.calls()
    local handle = cluster.query("server", "echo")
    equal(cluster.call("server", "@echo", "self"), handle)
    for _, address in ipairs { handle, "@echo", ".echo" } do
        local packed = table.pack(cluster.call("server", address, "echo", 1, nil, "two", { 3 }, nil))
        equal(packed.n, 5)
        equal(packed[1], 1)
        equal(packed[3], "two")
        equal(packed[4][1], 3)
        equal(select("#", cluster.call("server", address, "echo")), 0)
    end
end

--- Around the largest message in one frame, and far beyond it.
function test.sizes()
    for _, size in ipairs { 0x7f00, 0x7ff0, 0x8000, 0x8100, 0x10000, 0x17ff0, 0x18010, 100000, 1 << 20, 5 << 20 } do
        for more = 0, 20 do
            if more == 0 or size < 0x9000 then
                local length = size + more
                local text = ("%08x"):format(length):rep(length // 8)
                equal(cluster.call("server", "@echo", "size", text), #text)
                equal(cluster.call("server", "@echo", "repeated", text:sub(1, 8), length // 8), text)
            end
        end
    end
    local text = ("0123456789"):rep(20000)
    equal(cluster.call("server", cluster.query("server", "echo"), "echo", text), text)
end

--- In the order in which they were made, whether or not the sender is known.
function test.order()
    cluster.call("server", "@echo", "seen")
    for _, node in ipairs { "fresh", "fresh", "server" } do
        for number = 1, 10 do
            cluster.send(node, "@echo", "add", number)
        end
        skynet.fork(cluster.call, node, "@echo", "add", 11)
        skynet.fork(cluster.send, node, "@echo", "add", 12)
        skynet.fork(cluster.call, node, "@echo", "add", 13)
        skynet.yield()
        local list
        local sent = 14
        cluster.send(node, "@echo", "add", sent)
        list = cluster.call(node, "@echo", "seen")
        equal(table.concat(list, " "), "1 2 3 4 5 6 7 8 9 10 11 12 13 14")
    end
    cluster.send("server", "@echo", "add", ("x"):rep(100000))
    -- Long ones are not urgent; a call that follows at once may be earlier.
    local list = {}
    while not list[1] do
        list = cluster.call("server", "@echo", "seen")
    end
    equal(#list[1], 100000)
end

--- What a sender may put off until all that waits for it has been sent, too, does not wait when that is nothing. The
--- node is asked on another connection.
function test.put_off()
    local sender = cluster.get_sender "server"
    cluster.reload { beside = second }
    cluster.call("beside", "@echo", "seen")
    for _ = 1, 20 do
        for number = 1, 5 do
            cluster.send("server", "@echo", "add", number)
        end
        skynet.call(sender, "debug", "STAT")
        local count = 0
        while count < 5 do
            count = count + #cluster.call("beside", "@echo", "seen")
        end
    end
end

function test.errors()
    fails(cluster.call, "server", "@echo", "fail")
    fails(cluster.call, "server", "@nobody", "echo")
    fails(cluster.call, "server", ".nobody", "echo")
    fails(cluster.call, "server", 0x00ffff, "echo")
    fails(cluster.query, "server", "nobody")
    fails(cluster.call, "server", ("n"):rep(256), "echo")
    cluster.send("server", "@nobody", "add", 1)
    cluster.send("server", "@echo", "fail")
    equal(cluster.call("server", "@echo", "echo", "still here"), "still here")
end

function test.proxies()
    local proxy = cluster.proxy("server", "@echo")
    equal(cluster.proxy "server@echo", proxy)
    local named = cluster.proxy "server.echo"
    equal(cluster.proxy("server", ".echo") ~= proxy, true)
    local handle = cluster.query("server", "echo")
    cluster.call("server", "@echo", "seen")
    for _, to in ipairs { proxy, named, cluster.proxy("server", handle) } do
        equal(skynet.call(to, "lua", "self"), handle)
        skynet.send(to, "lua", "add", "sent")
        local text = ("long"):rep(50000)
        equal(skynet.call(to, "lua", "echo", text), text)
        fails(skynet.call, to, "lua", "fail")
        equal(#cluster.call("server", "@echo", "seen"), 1)
    end
    fails(cluster.proxy, "server")
end

function test.objects()
    local remote = cluster.snax("server", "remote")
    remote.post.add(5)
    local text, total = remote.req.ping "hello"
    equal(text, "hello")
    equal(total, 5)
    local handle = cluster.call("server", ".service", "QUERY", "snaxd", "remote")
    equal(cluster.snax("server", "remote", handle).handle, remote.handle)
end

function test.senders()
    local sender = cluster.get_sender "server"
    equal(math.type(sender), "integer")
    equal(cluster.get_sender "server", sender)
    equal(skynet.call(skynet.uniqueservice "clusterd", "lua", "senders").server, sender)
    equal(skynet.unpack(skynet.rawcall(sender, "lua", skynet.pack("req", "@echo", skynet.pack("echo", "raw")))), "raw")
    skynet.send(sender, "lua", "req", "@echo", skynet.pack("add", "nobody waits"))
    skynet.send(sender, "lua", "push", "@echo", skynet.pack("add", "nobody waits"))
    equal(#cluster.call("server", "@echo", "seen"), 2)
end

--- What an agent remembers of a name is forgotten when the name changes.
function test.names()
    local handle = cluster.query("server", "echo")
    local other = cluster.call("server", "@echo", "other")
    cluster.call("server", handle, "unregister", "echo")
    fails(cluster.query, "server", "echo")
    fails(cluster.call, "server", "@echo", "self")
    cluster.call("server", handle, "register", "echo", other)
    equal(cluster.call("server", "@echo", "self"), "other")
    -- Its handle is called otherwise now.
    cluster.call("server", handle, "register", "elsewhere", other)
    fails(cluster.query, "server", "echo")
    equal(cluster.query("server", "elsewhere"), other)
    cluster.call("server", handle, "unregister", "elsewhere")
    cluster.call("server", handle, "register", "echo", handle)
    equal(cluster.call("server", "@echo", "self"), handle)
end

--- Calls wait for a name that is not known, unless they are told not to.
function test.waiting()
    local answers = {}
    for number = 1, 3 do
        skynet.fork(function()
            local answer = cluster.call("later", "@echo", "echo", number)
            answers[#answers + 1] = answer
        end)
    end
    skynet.sleep(LATER)
    equal(#answers, 0)
    cluster.reload { later = first }
    while #answers < 3 do
        skynet.sleep(1)
    end
    equal(table.concat(answers, " "), "1 2 3")

    local failed = 0
    skynet.fork(function()
        equal(pcall(cluster.query, "never", "echo"), false)
        failed = failed + 1
    end)
    skynet.sleep(LATER)
    cluster.reload { __nowaiting = true }
    while failed < 1 do
        skynet.sleep(1)
    end
    equal(pcall(cluster.call, "absent", "@echo", "echo"), false)
    cluster.reload { __nowaiting = false, absent = first }
    equal(cluster.call("absent", "@echo", "echo", "there"), "there")
end

--- A node that moves or goes fails those who wait for it, and is called where it is.
function test.moves()
    cluster.reload { moving = first }
    local ended = 0
    local function hang()
        fails(cluster.call, "moving", "@echo", "hang")
        ended = ended + 1
    end
    local function await(count)
        while ended < count do
            skynet.sleep(1)
        end
    end
    equal(cluster.call("moving", "@echo", "echo", "first"), "first")
    skynet.fork(hang)
    skynet.sleep(LATER)
    cluster.reload { moving = second }
    await(1)
    equal(cluster.call("moving", "@echo", "echo", "second"), "second")
    skynet.fork(hang)
    skynet.sleep(LATER)
    cluster.reload { moving = false }
    fails(cluster.call, "moving", "@echo", "echo", "down")
    await(2)
    cluster.reload { moving = first }
    equal(cluster.call("moving", "@echo", "echo", "back"), "back")
    -- Nobody listens at port 1.
    cluster.reload { moving = "127.0.0.1:1" }
    fails(cluster.call, "moving", "@echo", "echo", "nowhere")
    cluster.reload { moving = second }
    equal(cluster.call("moving", "@echo", "echo", "again"), "again")

    cluster.reload { down = false }
    equal(cluster.get_sender "down", nil)
    equal(pcall(cluster.call, "down", "@echo", "echo"), false)
    equal(pcall(cluster.reload, { wrong = 1 }), false)
end

--- A node that does not answer at all is left for the address where it does.
function test.silence()
    local silent = skynet.getenv "silent"
    if not silent then
        return
    end
    cluster.reload { silent = silent }
    local answers = 0
    for _ = 1, 3 do
        skynet.fork(function()
            equal(cluster.call("silent", "@echo", "echo", "heard"), "heard")
            answers = answers + 1
        end)
    end
    skynet.sleep(LATER)
    equal(answers, 0)
    local moved = skynet.now()
    cluster.reload { silent = first }
    while answers < 3 do
        assert(skynet.now() - moved < 500, "it takes too long")
        skynet.sleep(1)
    end
end

--- What the config's file says, and says again.
function test.file()
    if skynet.getenv "cluster" then
        equal(cluster.call("filed", "@echo", "echo", "once"), "once")
        cluster.reload { filed = false }
        fails(cluster.call, "filed", "@echo", "echo")
        cluster.reload()
        equal(cluster.call("filed", "@echo", "echo", "twice"), "twice")
    end
end

--- In both directions, each on its own connection.
function test.back()
    cluster.register "here"
    skynet.dispatch("lua", function(_, _, ...)
        skynet.retpack("client", ...)
    end)
    local _, port = cluster.open(0)
    local who, text = cluster.call("server", "@echo", "back", "127.0.0.1:" .. port, "@here", ("b"):rep(70000))
    equal(who, "client")
    equal(#text, 70000)
end

--- Names of nodes to listen at, and IPv6 where there is some.
function test.listening()
    local address, port = cluster.open(0, 100)
    equal(address, "0.0.0.0")
    equal(math.type(port), "integer")
    fails(cluster.open, "unknown")
    local socket = require "skynet.socket"
    -- Room for one.
    local _, narrow = cluster.open(0, 2)
    local one = socket.open("127.0.0.1", narrow)
    local two = socket.open("127.0.0.1", narrow)
    equal(socket.read(two), false)
    equal(socket.disconnected(one), false)
    socket.close(one)
    socket.close(two)
    local ok, id, _, free = pcall(socket.listen, "::1", 0)
    if not ok then
        print_line "no IPv6 here"
        return
    end
    socket.close(id)
    local there = ("[::1]:%d"):format(free)
    cluster.reload { six = there }
    equal(cluster.call("server", "@echo", "listen", there), "extra")
    equal(cluster.call("six", "@echo", "echo", "six"), "six")
end

function test.traces()
    skynet.trace()
    equal(cluster.call("server", "@echo", "echo", "traced"), "traced")
    equal(#cluster.call("server", "@echo", "repeated", "long", 20000), 80000)
    equal(cluster.call("server", "@echo", "size", ("long"):rep(20000)), 80000)
end

skynet.start(function()
    cluster.reload { server = first, fresh = first }
    local names = {}
    local only = skynet.getenv "only"
    for name in pairs(test) do
        if not only or only == name then
            names[#names + 1] = name
        end
    end
    table.sort(names)
    for _, name in ipairs(names) do
        local ok, reason = xpcall(test[name], debug.traceback)
        print_line(ok and "good" or "bad", name, ok and "" or reason)
        if not ok then
            skynet.abort()
            return
        end
    end
    cluster.send("server", "@echo", "exit")
    print_line "passed"
    skynet.timeout(10, skynet.abort)
end)

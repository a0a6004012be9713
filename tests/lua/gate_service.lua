--- The gate in Lua, with clients on the other side of real sockets: frames a byte at a time and many in one piece,
--- agents, kicks, and no room.

local skynet = require "skynet.manager"
local socket = require "skynet.socket"
local netpack = require "skynet.netpack"
local print = require "print_line"

local role = ...

skynet.register_protocol {
    name = "client",
    id = skynet.PTYPE_CLIENT,
    unpack = skynet.tostring,
}

if role == "agent" then
    skynet.start(function()
        skynet.dispatch("client", function(fd, source, text)
            skynet.ignoreret()
            socket.write(fd, netpack.pack(("%d says %s"):format(source, text)))
        end)
    end)
    return
end

--- Events that have not been waited for.
local events = {}
local waiting

---@return any ... the next event of the gate
local function event()
    while #events == 0 do
        waiting = coroutine.running()
        skynet.wait(waiting)
    end
    local next = table.remove(events, 1)
    return table.unpack(next, 1, next.n)
end

local function expect(...)
    local wanted = table.pack(...)
    local got = table.pack(event())
    for i = 1, math.max(wanted.n, got.n) do
        if wanted[i] ~= got[i] then
            error(("expected %s, got %s"):format(table.concat(wanted, " "), table.concat(got, " ")), 2)
        end
    end
end

---@param id integer
---@return string
local function answer(id)
    local size = assert(socket.read(id, 2), "closed")
    return socket.read(id, socket.header(size))
end

---@param text string
---@return string
local function frame(text)
    return netpack.tostring(netpack.pack(text))
end

local function test()
    local gate = skynet.newservice "gate"
    local agent = skynet.newservice(SERVICE_NAME, "agent")
    local conf = { address = "127.0.0.1", port = 0, maxclient = 3, nodelay = true }
    local address, port = skynet.call(gate, "lua", "open", conf)
    assert(address == "127.0.0.1" and port > 0)
    assert(not pcall(skynet.call, gate, "lua", "open", conf), "opened twice")
    assert(not pcall(skynet.call, gate, "lua", "dance"), "no such command")
    assert(not pcall(skynet.call, gate, "lua", "forward", 4711), "no such client")
    skynet.call(gate, "lua", "kick", 4711)

    ---@return integer id our side's socket
    ---@return integer fd the gate's
    local function connect()
        local id = assert(socket.open("127.0.0.1", port))
        local name, fd, from = event()
        assert(name == "open" and from:match "^127%.0%.0%.1:%d+$", from)
        return id, fd
    end

    -- For the watchdog.
    local first, fd = connect()
    skynet.call(gate, "lua", "accept", fd)
    for byte in (frame "a byte at a time" .. frame "" .. frame "and another"):gmatch "." do
        socket.write(first, byte)
    end
    expect("data", fd, "a byte at a time")
    expect("data", fd, "")
    expect("data", fd, "and another")
    local many = {}
    for i = 1, 2000 do
        many[i] = frame(("%d"):format(i))
    end
    socket.write(first, table.concat(many))
    for i = 1, 2000 do
        expect("data", fd, ("%d"):format(i))
    end
    local long = ("x"):rep(0xffff)
    socket.write(first, frame(long))
    expect("data", fd, long)

    -- For an agent.
    local second, other = connect()
    skynet.call(gate, "lua", "forward", other, 77, agent)
    socket.write(second, frame "hello" .. frame "again")
    assert(answer(second) == "77 says hello")
    assert(answer(second) == "77 says again")

    -- No room.
    local third = assert(socket.open("127.0.0.1", port))
    assert(not socket.read(third, 1))
    socket.close(third)
    -- All that is heard of it is that it has gone.
    assert(event() == "close")

    -- Ends: by the gate, and by the client in the middle of a frame.
    skynet.call(gate, "lua", "kick", other)
    assert(not socket.read(second, 1))
    expect("close", other)
    socket.close(second)
    socket.write(first, "\0\5half")
    socket.close(first)
    expect("close", fd)

    skynet.call(gate, "lua", "close")
    while socket.open("127.0.0.1", port) do
        skynet.yield()
    end
    skynet.kill(gate)
    skynet.kill(agent)
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        assert(name == "socket")
        table.insert(events, table.pack(...))
        skynet.ignoreret()
        if waiting then
            skynet.wakeup(waiting)
            waiting = nil
        end
    end)
    local ok, message = xpcall(test, debug.traceback)
    print(ok and "passed" or message)
    skynet.abort()
end)

--- A node's place in a harbor network; named .cslave. Speaks with the master, makes the links to the other slaves, and
--- gives them to the harbor service; keeps the global names; tells those who ask when links come and go.
---
--- The node starts when it is linked to all who were in the network before it: they connect, so the port is open only
--- that long. Later ones are connected to as the master names them.

local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"
local keepalive = require "skynet.keepalive"
local package = require "skynet.harborpackage"
local slave = require "skynet.slave"

--- How a node is linked, by its number: its socket, or what has become of it; nil: not yet.
local links = {}
--- Its link has ended; the master says that it has left.
local LOST <const>, LEFT <const> = "lost", "left"

--- number -> answers that wait for its link to begin, or to end
local watchers = {}
--- Answers that wait for the connection with the master to end.
local master_watchers = {}

--- This node's number.
local number
--- The connection with the master; false when it has ended.
local master
--- Nodes that came while we were starting: number -> address; nil when we have started.
local newcomers = {}
--- The coroutine that waits for links, while we are starting.
local starting
--- Connections that have not said their number.
local strangers = {}

local function is_linked(id)
    return math.type(links[id]) ~= nil
end

local function answer_all(answers, ok)
    for _, answer in ipairs(answers or {}) do
        answer(ok)
    end
end

-- Sets what has become of a link. Whoever waits for one that never was gets an error.
local function set_link(id, state)
    local before = is_linked(id)
    links[id] = state
    local waiting = watchers[id]
    watchers[id] = nil
    answer_all(waiting, before or is_linked(id))
    if starting then
        skynet.wakeup(starting)
    end
end

local function watch(id)
    watchers[id] = watchers[id] or {}
    table.insert(watchers[id], skynet.response())
end

--------------------------------------------------------------------------------
-- Links

local function hand_over(letter, fd, id)
    set_link(id, fd)
    socket.abandon(fd)
    slave.tell_harbor("%s %d %d", letter, fd, id)
end

-- An address that is none is one that cannot be reached.
local function open(address)
    local ok, fd, reason = pcall(socket.open, address, nil, keepalive.SECONDS)
    if ok then
        return fd, reason
    end
    return nil, fd
end

local function connect(id, address)
    if links[id] ~= nil then
        return
    end
    local fd, reason = open(address)
    if links[id] ~= nil then
        -- It has left meanwhile.
        if fd then
            socket.close(fd)
        end
    elseif fd then
        driver.nodelay(fd)
        skynet.error(("Connect to harbor %d (fd=%d), %s"):format(id, fd, address))
        hand_over("S", fd, id)
    else
        skynet.error(("Can't connect to %s (harbor %d): %s"):format(address, id, reason or "closed"))
        slave.tell_harbor("D %d", id)
        set_link(id, LOST)
    end
end

local function accept(fd, from)
    skynet.error(("New connection (fd = %d, %s)"):format(fd, from))
    driver.nodelay(fd)
    keepalive.watch(fd)
    strangers[fd] = true
    local byte = socket.start(fd) and socket.read(fd, 1)
    strangers[fd] = nil
    local id = byte and byte:byte()
    if not id or not starting then
        skynet.error(("Connection (fd =%d) closed"):format(fd))
    elseif not package.is_id(id) or id == number then
        skynet.error(("Invalid harbor %d (fd =%d)"):format(id, fd))
    elseif links[id] ~= nil then
        skynet.error(("Slave %d exist (fd =%d)"):format(id, fd))
    else
        skynet.error(("Harbor %d connected (fd = %d)"):format(id, fd))
        return hand_over("A", fd, id)
    end
    socket.close(fd)
end

-- How many of those who were there before us are linked, or have left. One whose link is lost may have been nobody of
-- the network; if it was one, the master will say that it has left.
local function count_links()
    local count = 0
    for id, state in pairs(links) do
        if state ~= LOST and not newcomers[id] then
            count = count + 1
        end
    end
    return count
end

local function wait_for_links(expected, listener)
    starting = coroutine.running()
    socket.start(listener, accept)
    while count_links() < expected do
        skynet.wait(starting)
    end
    starting = nil
    for fd in pairs(strangers) do
        skynet.fork(socket.close, fd)
    end
end

--------------------------------------------------------------------------------
-- The master

--- What it says, by letter.
local news = {}

function news.C(id, address)
    if newcomers then
        newcomers[id] = address
    else
        -- Takes a while, and there may be other news.
        skynet.fork(connect, id, address)
    end
end

function news.N(name, handle)
    slave.set_name(name, handle)
    if not newcomers then
        slave.tell_name(name)
    end
end

function news.D(id)
    if links[id] == nil then
        slave.tell_harbor("D %d", id)
    end
    set_link(id, LEFT)
end

local function hear_news(letter, ...)
    local run = news[letter]
    if run then
        run(...)
    end
end

local function listen_to_master()
    local ok, reason
    repeat
        ok, reason = pcall(function()
            hear_news(package.read(master))
        end)
    until not ok
    skynet.error("Master disconnect" .. (reason == "closed" and "" or ": " .. tostring(reason)))
    local fd = master
    master = false
    answer_all(master_watchers, true)
    slave.give_up_names()
    socket.close(fd)
end

local function ask_master(question)
    if master then
        socket.write(master, question)
    else
        slave.give_up_names()
    end
end

--------------------------------------------------------------------------------
-- What services and the harbor ask

local command = {}

function command.REGISTER(name, handle)
    slave.check_free(name)
    local bytes = package.pack("R", name, handle)
    slave.set_name(name, handle)
    if master then
        socket.write(master, bytes)
    end
    slave.tell_name(name)
end

--- Without a master the call fails if the name is not known yet.
function command.QUERYNAME(name)
    if slave.answer_owner(name) then
        return
    end
    -- An error, while there is somebody to tell, if the name is too long to ask for.
    local question = package.pack("Q", name)
    if slave.want(name, skynet.response()) then
        ask_master(question)
    end
end

function command.LINK(id)
    if is_linked(id) then
        watch(id)
    else
        skynet.ret()
    end
end

--- The call fails if the node cannot come any more.
function command.CONNECT(id)
    if is_linked(id) then
        skynet.ret()
    elseif links[id] then
        skynet.response()(false)
    else
        watch(id)
    end
end

function command.LINKMASTER()
    if master then
        table.insert(master_watchers, skynet.response())
    else
        skynet.ret()
    end
end

local report = {}

--- A message is for a name that the harbor does not know.
function report.Q(name)
    if slave.owner(name) then
        slave.tell_name(name)
    else
        slave.want(name)
        ask_master(package.pack("Q", name))
    end
end

--- A link has ended. That its node has left may be known already.
function report.D(argument)
    local id = tonumber(argument)
    if links[id] ~= LEFT then
        set_link(id, LOST)
    end
end

--------------------------------------------------------------------------------

local function read_welcome()
    local letter, others = package.read(master)
    if letter ~= "W" or math.type(others) ~= "integer" then
        error "slave shakehand failed"
    end
    return others
end

skynet.start(function()
    number = tonumber(skynet.getenv "harbor")
    local master_address = skynet.getenv "master"
    local address = assert(skynet.getenv "address", "a node of a harbor network needs an address")
    local listener = socket.listen(address)
    skynet.error("slave connect to master " .. tostring(master_address))
    master = assert(socket.open(master_address, nil, keepalive.SECONDS), "Can't connect to master")

    slave.dispatch(command, function(text)
        local letter, argument = text:match "^(.) ?(.*)$"
        local run = report[letter]
        if run then
            run(argument)
        else
            skynet.error("Unknown command ", text)
        end
    end)
    slave.launch_harbor(number)

    socket.write(master, package.pack("H", number, address))
    local others = read_welcome()
    skynet.error(("Waiting for %d harbors"):format(others))
    skynet.fork(listen_to_master)
    if others > 0 then
        wait_for_links(others, listener)
    end
    socket.close(listener)
    skynet.error "Shakehand ready"

    local first = newcomers
    newcomers = nil
    slave.tell_names()
    for id, where in pairs(first) do
        skynet.fork(connect, id, where)
    end
end)

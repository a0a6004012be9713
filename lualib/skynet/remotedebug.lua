--- The debugger's end in the service that it looks into. Lines come through a debug channel; what is printed goes to the
--- console's socket.
---
--- What lives here. `session` exists while a debugger is attached. It stands in front of the service's dispatch function,
--- so that lines are looked for before each message, and at least every tenth of a second. `watch` puts a wrapper in
--- front of a message type's handler. The task of the first message that it lets through gets a trail: a hook at each
--- line, which stops the task's coroutine by a yield. While it is stopped, the service handles other messages.

local skynet = require "skynet"
local debugchannel = require "skynet.debugchannel"
local driver = require "skynet.socketdriver"
local evaluate = require "skynet.injectcode"

local sethook = debugchannel.sethook
local getinfo = debug.getinfo
local running = coroutine.running

--- The upvalue of the dispatch function that handles one message.
local HANDLE_MESSAGE <const> = "raw_dispatch_message"
--- How often a service without messages looks for lines. Centiseconds.
local IDLE <const> = 10
--- Any frame may stop.
local ANYWHERE <const> = math.huge

---@class skynet.remotedebug.trail
---@field co thread
---@field limit number   stops only in frames that are not deeper than this
---@field depth integer  of the frame that it stopped in
---@field stopped boolean

local session

local own_source = getinfo(1, "S").source

-- Sources of the API itself, which a trail passes over.
local internal = {}
do
    local api = getinfo(skynet.start, "S").source
    internal[api] = true
    local directory = api:match "^(.*)%.lua$"
    for _, part in ipairs { "node", "request", "tasks", "tracing", "unknown", "wrap" } do
        internal[("%s/%s.lua"):format(directory, part)] = true
    end
end

local function set_prompt(text)
    session.prompt = text
    session.prompted = false
end

local function service_prompt()
    set_prompt(skynet.address(skynet.self()) .. ">")
end

local function printer(fd)
    return function(...)
        local words = table.pack(...)
        for i = 1, words.n do
            words[i] = tostring(words[i])
        end
        words[words.n + 1] = "\n"
        driver.send(fd, table.concat(words, "\t"))
    end
end

----- trails

-- How deep the stack is, counted from the hook's caller: levels are doubled, then halved, so that a deep recursion does
-- not make each of its lines slow.
local function stack_depth()
    local there, beyond = 1, 2
    while getinfo(beyond, "l") do
        there, beyond = beyond, beyond * 2
    end
    while beyond - there > 1 do
        local middle = (there + beyond) // 2
        if getinfo(middle, "l") then
            there = middle
        else
            beyond = middle
        end
    end
    return there
end

-- The hook. True stops the coroutine; where it cannot be stopped, in a comparison that sorts, for one, it runs on.
local function at_line(_, line, yieldable)
    local trail = session and session.trails[running()]
    if not trail or yieldable == false then
        return
    end
    local info = getinfo(2, "S")
    if info.source == own_source then
        return
    end
    local depth = stack_depth()
    if depth > trail.limit then
        return
    end
    if internal[info.source] then
        -- Neither here nor in what is called from here.
        trail.limit = depth - 1
        return
    end
    trail.depth = depth
    trail.stopped = true
    set_prompt(("%s(%d)>"):format(info.short_src, line))
    return true
end

-- The handler has returned or failed.
local function leave_trail(trail)
    sethook(trail.co)
    if session and session.trails[trail.co] == trail then
        session.trails[trail.co] = nil
        service_prompt()
    end
end

local trail_class = { __close = leave_trail }

local function new_trail()
    local co = running()
    local trail = setmetatable({ co = co, limit = ANYWHERE, depth = 0, stopped = false }, trail_class)
    session.trails[co] = trail
    sethook(at_line, "l")
    return trail
end

local function stopped_trail()
    for _, trail in pairs(session.trails) do
        if trail.stopped then
            return trail
        end
    end
end

local function go_on(export, trail)
    trail.stopped = false
    -- What the task raises must not keep the message in hand from being handled.
    local ok, reason = pcall(export.suspend, trail.co, export.resume(trail.co))
    if not ok then
        skynet.error(reason)
    end
end

-- What can be said of a task that is stopped, beside code for its frame.
local steps = {}

--- To the next line, wherever it is.
function steps.s(trail)
    trail.limit = ANYWHERE
end

--- To the next line of this function or its callers.
function steps.n(trail)
    trail.limit = trail.depth
end

--- To the end.
function steps.c(trail)
    sethook(trail.co)
    session.trails[trail.co] = nil
end

--- Stops the task of the next message of a type at its handler's first line.
---@param typename string|integer
---@param condition? fun(session: integer, source: integer, ...): any  whether it is that message
---@return string|nil problem
local function watch(typename, condition)
    local class = skynet._proto[typename]
    if not class then
        return "No " .. tostring(typename)
    end
    local mine = session
    local handler = mine.watched[class] or class.dispatch
    if not handler then
        return "No dispatch"
    end
    mine.watched[class] = handler
    class.dispatch = function(...)
        local hit = true
        if condition then
            local ok
            ok, hit = pcall(condition, ...)
            if not ok then
                mine.print(hit)
                hit = false
            end
        end
        if not hit or session ~= mine then
            handler(...)
            return
        end
        class.dispatch = handler
        mine.watched[class] = nil
        local trail <close> = new_trail()
        handler(...)
    end
end

----- lines

-- An expression's values, or what a statement came to.
local function run(line, co, level, names)
    local expression = "return " .. line
    if not load(expression) then
        expression = line
    end
    local results = table.pack(evaluate(expression, co, level, names))
    session.print(table.unpack(results, 2, results.n))
end

-- Takes the session down; the service goes on as if there had been none.
local function leave()
    local mine = session
    session = nil
    debug.setupvalue(mine.export.dispatch, mine.position, mine.original)
    for class, handler in pairs(mine.watched) do
        class.dispatch = handler
    end
    for co, trail in pairs(mine.trails) do
        sethook(co)
        if trail.stopped then
            go_on(mine.export, trail)
        end
    end
    skynet.error "Leave debug mode"
    mine.answer(true)
end

-- Runs the lines that have come. What is no word of the debugger runs in a frame: of the task that is stopped, or two
-- levels above `run`, whose varargs are the message that is about to be handled.
local function serve()
    while session do
        if not session.prompted then
            driver.send(session.fd, session.prompt)
            session.prompted = true
        end
        local line = session.channel:read()
        if not line then
            return
        end
        if line == "cont" then
            leave()
            return
        end
        session.prompted = false
        local trail = stopped_trail()
        local step = trail and steps[line]
        if step then
            service_prompt()
            step(trail)
            go_on(session.export, trail)
        elseif line == "" then
            -- The prompt again.
        elseif trail then
            run(line, trail.co, 0, { print = session.print, _CO = trail.co })
        else
            run(line, running(), 2, { print = session.print, watch = watch })
        end
    end
end

local function upvalue_position(func, name)
    for i = 1, math.huge do
        local found, value = debug.getupvalue(func, i)
        if not found then
            error("the dispatch function has no " .. name)
        elseif found == name then
            return i, value
        end
    end
end

local function idle()
    local mine = session
    if not mine then
        return
    end
    if not mine.answer "TEST" then
        -- Nobody is there to write lines any more.
        leave()
        return
    end
    skynet.timeout(IDLE, idle)
end

local remotedebug = {}

--- Attaches a debugger. The request is answered when it leaves.
---@param export { dispatch: function, resume: function, suspend: function }  see skynet.debug
---@param fd integer  socket of the console
---@param handle lightuserdata  what debugchannel.create gave with the channel
function remotedebug.start(export, fd, handle)
    assert(not session, "Already in debug mode")
    skynet.error "Enter debug mode"
    local channel = debugchannel.connect(handle)
    local position, original = upvalue_position(export.dispatch, HANDLE_MESSAGE)
    session = {
        export = export,
        fd = fd,
        channel = channel,
        position = position,
        original = original,
        answer = skynet.response(),
        print = printer(fd),
        --- coroutine -> its trail
        trails = {},
        --- message type -> the handler that stands behind a watch
        watched = {},
    }
    service_prompt()
    debug.setupvalue(export.dispatch, position, function(...)
        serve()
        return original(...)
    end)
    skynet.timeout(0, idle)
end

return remotedebug

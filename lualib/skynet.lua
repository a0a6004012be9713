--- The API of a Lua service: messages, coroutines, time, names.
---
--- What lives here. Every message that needs a coroutine of its own runs in a *task*: a coroutine together with the
--- request it answers. `sessions` maps the session of everything that was sent and not yet answered to the task that
--- waits for it. A task ends when its function returns; it then goes to the `idle` list, to be used again.
---
--- The order in `dispatch_message`: the message's own task runs until it blocks or ends, then the tasks that it woke
--- and the calls that were found dead, then the forked ones, in the order of their fork.
---
--- This file holds what every service needs at every message. The rest is loaded when somebody asks for it:
--- skynet.node (environment, statistics, unique services), skynet.request (request/select), skynet.tasks (inspection),
--- skynet.tracing, skynet.unknown (messages without a handler), skynet.wrap (session numbers that are in use).

local core = require "skynet.core"
local requiring = require "skynet.require"
-- Here, because what it runs last has to be known first.
require "skynet.closing"

local csend = core.send
local cpack = core.pack
local cgenid = core.genid
local ctrace = core.trace
local intcommand = core.intcommand
local create = coroutine.create
local resume = coroutine.resume
local yield = coroutine.yield
local running = coroutine.running
local close = coroutine.close
local traceback = debug.traceback
local format = string.format
local unpack_args = table.unpack

local PTYPE_RESPONSE <const> = 1
local PTYPE_ERROR <const> = 7
local PTYPE_LUA <const> = 10

-- The fields are the functions that are written in C, and those that other files bring in when they are asked for.
---@class skynet
---@field error fun(...: any)  writes its arguments to the log
---@field tracelog fun(tag: string, text: string, level?: integer)  writes a line of a trace
---@field now fun(): integer  centiseconds since the node's start
---@field hpc fun(): integer  nanoseconds of a steady clock
---@field harbor fun(addr: integer): integer, boolean  the node of a handle, and whether it is another one
---@field genid fun(): integer  a new session
---@field pack fun(...: any): lightuserdata, integer  Lua values as a message
---@field packstring fun(...: any): string  the same as a string
---@field unpack fun(msg: lightuserdata|string, sz?: integer): any ...  a message as Lua values
---@field tostring fun(msg: lightuserdata, sz: integer): string  a message's bytes
---@field trash fun(msg: lightuserdata|string, sz?: integer)  frees a message
---@field init fun(func: function)  see skynet.require
---@field starttime fun(): integer  these ten: see skynet.node
---@field time fun(): number
---@field setenv fun(key: string, value: string|number)
---@field endless fun(): boolean
---@field mqlen fun(): integer
---@field stat fun(what: "mqlen"|"endless"|"cpu"|"time"|"message"): number
---@field memlimit fun(bytes: integer)
---@field uniqueservice fun(name: string|true, ...: any): integer
---@field queryservice fun(name: string|true, ...: any): integer
---@field term fun(service: integer|string)
---@field request fun(call?: table): skynet.request  see skynet.request
---@field task fun(what?: table|integer|thread|"init"): integer|string|nil  these four: see skynet.tasks
---@field uniqtask fun(): table<string, string>
---@field killthread fun(thread: thread|integer|string): thread|nil
---@field trace_timeout fun(on: boolean)
---@field trace fun(info?: string)  these three: see skynet.tracing
---@field tracecall fun(tag: string, addr: integer|string, typename: string|integer, ...: any): lightuserdata, integer
---@field traceproto fun(typename: string|integer, flag: boolean|nil)
---@field dispatch_unknown_request fun(handler: function): function  these two: see skynet.unknown
---@field dispatch_unknown_response fun(handler: function): function
local skynet = {
    PTYPE_TEXT = 0, PTYPE_RESPONSE = PTYPE_RESPONSE, PTYPE_MULTICAST = 2, PTYPE_CLIENT = 3, PTYPE_SYSTEM = 4,
    PTYPE_HARBOR = 5, PTYPE_SOCKET = 6, PTYPE_ERROR = PTYPE_ERROR, PTYPE_QUEUE = 8, PTYPE_DEBUG = 9,
    PTYPE_LUA = PTYPE_LUA, PTYPE_SNAX = 11, PTYPE_TRACE = 12,

    cache = require "skynet.codecache",
    error = core.error,
    tracelog = ctrace,
    now = core.now,
    hpc = core.hpc,
    harbor = core.harbor,
    genid = cgenid,
    pack = cpack,
    packstring = core.packstring,
    unpack = core.unpack,
    tostring = core.tostring,
    trash = core.trash,
    init = requiring.init,
    pcall = pcall,
}

--- Message types by name and by number.
local proto = {}
skynet._proto = proto

---@class skynet.task
---@field co thread
---@field session integer|false  the request's session; false once it is answered, or when there is no request
---@field source integer|false   who sent the request
---@field callee integer|string|false  whom the task waits for, when it is in a call
---@field func function|false    what a timer or a fork will run
---@field next skynet.task|false the next one in the idle list
---@field tag string|false|nil   trace tag; false: never traced
---@field origin string|nil      where a timer was set, with trace_timeout

--- session -> the task that waits for it; false: nobody waits any more, the answer is to be dropped in silence.
local sessions = {}
--- token -> session, for sleep and wait.
local sleeping = {}
--- Closures of skynet.response that were not used yet -> the address they answer.
local unanswered = {}
--- Tasks that left their coroutine by a yield that is not ours (a debugger's, a user's own).
local strays = setmetatable({}, { __mode = "k" })

-- What `settle` has to look at: tokens to wake, and sessions whose callee is gone. `due` counts both.
local woken, woken_head, woken_tail = {}, 1, 0
local broken, broken_head, broken_tail = {}, 1, 0
local due = 0

local forks, fork_head, fork_tail = {}, 1, 0

-- The thread of the service's main chunk stands in for a task until the first one runs.
---@type skynet.task
local main = { co = (running()), session = false, source = false, callee = false, func = false, next = false }
local current = main
local start_thread

-- True from the first sign that somebody traces messages: the hot paths look at this alone.
local tracing = false
-- trace_timeout's: func(task, ti), or false.
local mark_timer = false
-- skynet.tracing's table, once it is loaded.
local tracer
local load_part

----- sessions

-- A session number may be given out again after it wrapped (0x7fffffff, then 1), while an old one is still in flight.
-- Numbers below `horizon` are known to be far from any such; from there on skynet.wrap looks at each.
local SESSION_MARGIN <const> = 0x10000
local horizon = 0x7fffffff - SESSION_MARGIN

local function beyond_horizon(session)
    horizon = require "skynet.wrap"(session, sessions, cgenid, SESSION_MARGIN)
end

----- tasks

local idle = false

local function forgot_response(func, task)
    local info = debug.getinfo(func, "S")
    skynet.error(format("Maybe forgot response session %s from %s : %s:%d", task.session,
        skynet.address(task.source), info.source, info.linedefined))
end

-- The main function of every task's coroutine. What it is resumed with says what to do:
-- a request: handler, the type's unpack, msg, sz, session, source; a timer: true, msg, sz, session; a fork: nothing.
local function task_main(func, decode, msg, sz, session, source)
    local task = current
    while true do
        if func == true then
            local on_time = task.func
            task.func = false
            task.origin = nil
            on_time(true, decode, msg, sz)
        elseif func then
            func(session, source, decode(msg, sz))
            session = task.session
            if session and session ~= 0 then
                forgot_response(func, task)
            end
        else
            local forked = task.func
            task.func = false
            forked()
        end
        if tracing and task.tag ~= nil then
            if task.tag then
                ctrace(task.tag, "end")
            end
            task.tag = nil
        end
        task.session = false
        task.source = false
        task.next = idle
        idle = task
        func, decode, msg, sz, session, source = yield "SUSPEND"
    end
end

local function new_task()
    local task = idle
    if task then
        idle = task.next
        return task
    end
    return { co = create(task_main), session = false, source = false, callee = false, func = false, next = false }
end

-- Idle coroutines are kept from one garbage collection to the next. The sentinel is garbage all the time; setting its
-- metatable again makes the next collection call it again.
setmetatable({}, {
    __gc = function(sentinel)
        idle = false
        setmetatable(sentinel, getmetatable(sentinel))
    end,
})

----- after a task stopped

local function join_errors(err, more)
    return err and (err .. "\n" .. more) or more
end

-- A task's function raised `reason`, and its requester has been told. The report goes to the log through
-- dispatch_message.
local function fail(task, reason)
    task.session = false
    task.source = false
    task.tag = nil
    local report = traceback(task.co, tostring(reason))
    if task ~= main then
        close(task.co)
    end
    return report
end

-- Looks at how a task stopped, then runs everything that became due meanwhile. Returns what went wrong, or nil.
local function settle(task, ok, what)
    local err
    while true do
        if not ok then
            -- As in raw_dispatch_message.
            current = main
            local session = task.session
            if session and session ~= 0 then
                task.session = false
                csend(task.source, PTYPE_ERROR, session, "")
                if task.tag then
                    ctrace(task.tag, "error")
                end
            end
            err = join_errors(err, fail(task, what))
        elseif what == nil then
            strays[task] = true
            return err
        elseif what == "QUIT" then
            close(task.co)
            return err
        elseif what == "USER" then
            err = join_errors(err,
                "Call skynet.coroutine.yield out of skynet.coroutine.resume\n" .. traceback(task.co))
        elseif what ~= "SUSPEND" then
            err = join_errors(err, "Unknown command : " .. tostring(what) .. "\n" .. traceback(task.co))
        end

        task = nil
        while due > 0 and not task do
            due = due - 1
            local session
            if woken_head <= woken_tail then
                local token = woken[woken_head]
                woken[woken_head] = nil
                woken_head = woken_head + 1
                session = sleeping[token]
                task = session and sessions[session]
                if task then
                    -- The timer's message will still come.
                    sessions[session] = false
                    current = task
                    if task.tag then
                        ctrace(task.tag, "resume")
                    end
                    ok, what = resume(task.co, false, "BREAK", nil, session)
                end
            else
                session = broken[broken_head]
                broken[broken_head] = nil
                broken_head = broken_head + 1
                task = sessions[session]
                if task then
                    sessions[session] = nil
                    current = task
                    ok, what = resume(task.co, false, nil, nil, session)
                end
            end
        end
        if not task then
            woken_head, woken_tail = 1, 0
            broken_head, broken_tail = 1, 0
            return err
        end
    end
end

----- the hot path

-- Runs one message. Returns an error's text rather than raising it, so that the forked tasks run without a pcall here.
-- The name is what a remote debugger looks for among dispatch_message's upvalues, to put itself in front.
local function raw_dispatch_message(ptype, msg, sz, session, source)
    local task, ok, what
    if ptype == PTYPE_RESPONSE then
        task = sessions[session]
        if task then
            sessions[session] = nil
            current = task
            if tracing and task.tag then
                ctrace(task.tag, "resume")
            end
            ok, what = resume(task.co, true, msg, sz, session)
        elseif task == false then
            sessions[session] = nil
            return
        else
            return load_part "skynet.unknown".response(session, source, msg, sz)
        end
    else
        local p = proto[ptype]
        local handler = p and p.dispatch
        if not handler then
            return load_part "skynet.unknown".request(ptype, msg, sz, session, source)
        end
        task = idle
        if task then
            idle = task.next
        else
            task = new_task()
        end
        task.session = session
        task.source = source
        current = task
        if tracing then
            tracer.request(p, task)
        end
        ok, what = resume(task.co, handler, p.unpack, msg, sz, session, source)
    end
    if due > 0 or what ~= "SUSPEND" or not ok then
        if not ok then
            -- Memory may be what it lacked. The requester has to hear of it all the same, so this needs no call frame
            -- that resume did not have; and nothing may hold on to the task, or its memory would never be free again.
            current = main
            local asked = task.session
            if asked and asked ~= 0 then
                task.session = false
                csend(task.source, PTYPE_ERROR, asked, "")
                if task.tag then
                    ctrace(task.tag, "error")
                end
            end
        end
        return settle(task, ok, what)
    end
end

local function run_forks(err)
    while fork_head <= fork_tail do
        local task = forks[fork_head]
        forks[fork_head] = nil
        fork_head = fork_head + 1
        current = task
        local more = settle(task, resume(task.co))
        if more then
            err = join_errors(err, more)
        end
    end
    fork_head, fork_tail = 1, 0
    if err then
        error(err, 0)
    end
end

--- The service's callback: runs one message and everything it sets going. Raises what the tasks raised.
---@param ptype integer
---@param msg lightuserdata|string|nil
---@param sz integer
---@param session integer
---@param source integer
function skynet.dispatch_message(ptype, msg, sz, session, source)
    local err = raw_dispatch_message(ptype, msg, sz, session, source)
    if fork_tail > 0 or err then
        run_forks(err)
    end
end
local dispatch_message = skynet.dispatch_message

--- Sends a request and waits for the answer. Raises when the service cannot be reached, dies or fails.
---@param addr integer|string
---@param typename string|integer
---@param ... any  packed by the type's pack
---@return any ...  unpacked by the type's unpack
function skynet.call(addr, typename, ...)
    local task = current
    if tracing and task.tag then
        tracer.call(task.tag, addr)
    end
    local p = proto[typename]
    local session = csend(addr, p.id, nil, p.pack(...))
    if not session then
        error("call to invalid address " .. skynet.address(addr))
    end
    if session >= horizon then
        beyond_horizon(session)
    end
    task.callee = addr
    sessions[session] = task
    local ok, msg, sz = yield "SUSPEND"
    if not ok then
        error "call failed"
    end
    return p.unpack(msg, sz)
end

-- What a rawcall does once its message is sent.
local function await(session, addr)
    if not session then
        error "call to invalid address"
    end
    if session >= horizon then
        beyond_horizon(session)
    end
    local task = current
    task.callee = addr
    sessions[session] = task
    local ok, msg, sz = yield "SUSPEND"
    if not ok then
        error "call failed"
    end
    return msg, sz
end

--- Like call, with a message that is already packed; the answer is not unpacked either.
---@param addr integer|string
---@param typename string|integer
---@param msg lightuserdata|string  a pointer is owned by the framework from here on
---@param sz? integer
---@return lightuserdata msg  valid until the task blocks next
---@return integer sz
function skynet.rawcall(addr, typename, msg, sz)
    if tracing and current.tag then
        tracer.call(current.tag, addr)
    end
    return await(csend(addr, proto[typename].id, nil, msg, sz), addr)
end

--- Sends a message that needs no answer.
---@param addr integer|string
---@param typename string|integer
---@param ... any  packed by the type's pack
---@return integer|false|nil session  0; false: too large; nil: no such service
function skynet.send(addr, typename, ...)
    local p = proto[typename]
    return csend(addr, p.id, 0, p.pack(...))
end

--- Like send, with a message that is already packed.
---@param addr integer|string
---@param typename string|integer
---@param msg lightuserdata|string  a pointer is owned by the framework from here on
---@param sz? integer
---@return integer|false|nil session
function skynet.rawsend(addr, typename, msg, sz)
    return csend(addr, proto[typename].id, 0, msg, sz)
end

--- Answers the request that this task runs for, once.
---@param msg? lightuserdata|string
---@param sz? integer
---@return boolean sent
function skynet.ret(msg, sz)
    local task = current
    local session = task.session
    msg = msg or ""
    if tracing and task.tag then
        ctrace(task.tag, "response")
    end
    if not session then
        error "No session"
    end
    task.session = false
    if session == 0 then
        -- A send wants no answer.
        if sz ~= nil then
            core.trash(msg, sz)
        end
        return false
    end
    local sent = csend(task.source, PTYPE_RESPONSE, session, msg, sz)
    if sent then
        return true
    end
    if sent == false then
        -- Too large to be sent: the requester must not wait for ever.
        csend(task.source, PTYPE_ERROR, session, "")
    end
    return false
end
local ret = skynet.ret

--- Packs its arguments as the lua type does and answers with them.
---@param ... any
---@return boolean sent
function skynet.retpack(...)
    return ret(cpack(...))
end

--- Sends in another service's name.
---@param dest integer|string
---@param source integer
---@param typename string|integer
---@param ... any  session, msg, sz
function skynet.redirect(dest, source, typename, ...)
    return core.redirect(dest, source, proto[typename].id, ...)
end

----- time, waiting, forking

--- Runs `func` after `ti` centiseconds.
---@param ti integer
---@param func function
---@return thread
function skynet.timeout(ti, func)
    local session = assert(intcommand("TIMEOUT", ti))
    if session >= horizon then
        beyond_horizon(session)
    end
    local task = new_task()
    task.func = func
    task.callee = false
    if mark_timer then
        mark_timer(task, ti)
    end
    sessions[session] = task
    return task.co
end

-- Blocks until the session's message comes, or until somebody wakes the token up.
local function block(session, token)
    if session >= horizon then
        beyond_horizon(session)
    end
    local task = current
    if tracing and task.tag then
        ctrace(task.tag, "sleep", 2)
    end
    task.callee = false
    sessions[session] = task
    sleeping[token] = session
    local on_time, why = yield "SUSPEND"
    sleeping[token] = nil
    return on_time, why
end

-- The token of a sleep or wait: the coroutine when none is given. Before anything is set going for it.
local function free_token(token)
    token = token or running()
    if sleeping[token] then
        error("token duplicative", 3)
    end
    return token
end

--- Blocks for `ti` centiseconds, or until somebody wakes the token up.
---@param ti integer
---@param token? any  the coroutine when left out
---@return "BREAK"|nil  "BREAK" when woken up
function skynet.sleep(ti, token)
    token = free_token(token)
    local on_time, why = block(assert(intcommand("TIMEOUT", ti)), token)
    if not on_time then
        return why
    end
end

--- Blocks until somebody wakes the token up.
---@param token? any  the coroutine when left out
function skynet.wait(token)
    token = free_token(token)
    local session = cgenid()
    block(session, token)
    -- No message will ever come for it.
    sessions[session] = nil
end

--- Lets other messages run first.
function skynet.yield()
    return skynet.sleep(0)
end

--- Wakes a task that sleeps or waits for the token, when the running task blocks or ends.
---@param token any
---@return true|nil  nil: nobody sleeps on it
function skynet.wakeup(token)
    if sleeping[token] then
        woken_tail = woken_tail + 1
        woken[woken_tail] = token
        due = due + 1
        return true
    end
end

--- Starts a task that runs once the current message's own task has stopped.
---@param func function
---@param ... any  its arguments
---@return thread
function skynet.fork(func, ...)
    local n = select("#", ...)
    local task = new_task()
    if n == 0 then
        task.func = func
    elseif n == 1 then
        local a = ...
        task.func = function() func(a) end
    else
        local args = { ... }
        task.func = function() func(unpack_args(args, 1, n)) end
    end
    fork_tail = fork_tail + 1
    forks[fork_tail] = task
    return task.co
end

----- the request at hand

--- Session and source of the request that this task runs for; nil and nil when there is none.
---@return integer|nil session  also nil once it was answered
---@return integer|nil source
function skynet.context()
    local task = current
    return task.session or nil, task.source or nil
end

--- The trace tag of the running task: nil: not traced, false: never to be traced.
---@return string|false|nil
function skynet.tracetag()
    return current.tag
end

--- The answer will come by other means, or never: no complaint when the handler returns.
function skynet.ignoreret()
    current.session = false
end

--- Takes the duty to answer out of this task.
---@param pack? function  skynet.pack when left out
---@return fun(ok: boolean|"TEST", ...): boolean  answers with (true, ...), fails the call with (false), says with
--- ("TEST") whether the requester still waits; the result says whether the answer was sent
function skynet.response(pack)
    local session = assert(current.session, "no session")
    local address = current.source
    current.session = false
    if session == 0 then
        return function() end
    end
    pack = pack or cpack
    local used = false
    local function answer(ok, ...)
        if ok == "TEST" then
            return unanswered[answer] ~= nil
        end
        if used then
            error "Can't response more than once"
        end
        local sent
        if unanswered[answer] then
            if ok then
                sent = csend(address, PTYPE_RESPONSE, session, pack(...))
                if sent == false then
                    csend(address, PTYPE_ERROR, session, "")
                end
            else
                sent = csend(address, PTYPE_ERROR, session, "")
            end
            unanswered[answer] = nil
            sent = sent ~= nil
        else
            sent = false
        end
        used = true
        return sent
    end
    unanswered[answer] = address
    return answer
end

----- message types

--- Makes a message type known.
---@param class { name: string, id: integer, pack?: function, unpack?: function, dispatch?: function, trace?: boolean }
function skynet.register_protocol(class)
    local name, id = class.name, class.id
    assert(type(name) == "string", "a message type needs a name")
    assert(type(id) == "number" and id >= 0 and id <= 255, "a message type's id is a number from 0 to 255")
    assert(proto[name] == nil and proto[id] == nil, "message type registered twice")
    proto[name] = class
    proto[id] = class
    if class.trace ~= nil then
        skynet.traceproto(name, class.trace)
    end
end

--- Sets a type's handler, or tells it when no function is given.
---@param typename string|integer
---@param func? fun(session: integer, source: integer, ...)
---@return function|nil previous
function skynet.dispatch(typename, func)
    local p = proto[typename]
    if not func then
        return p and p.dispatch
    end
    local previous = p.dispatch
    p.dispatch = func
    return previous
end

-- Somebody failed (its session), or is gone altogether (session 0).
local function on_error(session, source)
    current.session = false
    if session ~= 0 then
        local task = sessions[session]
        if task and task.callee then
            broken_tail = broken_tail + 1
            broken[broken_tail] = session
            due = due + 1
        end
        return
    end
    for answer, address in pairs(unanswered) do
        if address == source then
            unanswered[answer] = nil
        end
    end
    for waiting, task in pairs(sessions) do
        if task and task.callee == source then
            broken_tail = broken_tail + 1
            broken[broken_tail] = waiting
            due = due + 1
        end
    end
end

----- this service and the node

local self_address

--- This service's handle.
---@return integer
function skynet.self()
    self_address = self_address or core.addresscommand "REG"
    return self_address
end

--- The handle behind a local name, or nil.
---@param name string  with its leading dot
---@return integer|nil
function skynet.localname(name)
    return core.addresscommand("QUERY", name)
end

--- A handle as text.
---@param addr integer|string
---@return string
function skynet.address(addr)
    if type(addr) == "number" then
        return format(":%08x", addr)
    end
    return tostring(addr)
end

---@param key string
---@return string|nil
function skynet.getenv(key)
    return (core.command("GETENV", key))
end

--- Launches a Lua service and waits until it has started.
---@param name string
---@param ... string|number
---@return integer handle
function skynet.newservice(name, ...)
    return skynet.call(".launcher", "lua", "LAUNCH", "snlua", name, ...)
end

----- start and end

--- Runs the functions of skynet.init, then `start`, and tells the launcher how it went.
---@param start function
function skynet.init_service(start)
    local ok, err = xpcall(function()
        requiring.init_all()
        start()
    end, traceback)
    if ok then
        skynet.send(".launcher", "lua", "LAUNCHOK")
    else
        skynet.error("init service failed: " .. tostring(err))
        skynet.send(".launcher", "lua", "ERROR")
        skynet.exit()
    end
end

--- Starts the service. The main chunk calls this once.
---@param start_func function  the first task
function skynet.start(start_func)
    core.callback(dispatch_message)
    start_thread = skynet.timeout(0, function()
        skynet.init_service(start_func)
        start_thread = nil
    end)
end

--- Ends this service: everybody who waits for it, or whom it waits for, is told. Does not return.
function skynet.exit()
    local me = current
    forks, fork_head, fork_tail = {}, 1, 0
    skynet.send(".launcher", "lua", "REMOVE", skynet.self(), false)

    -- Closing a task runs the close handlers of its variables, which may send, sleep or wake: so first a list of them.
    local tasks, called, seen = {}, {}, { [me] = true, [main] = true }
    for _, task in pairs(sessions) do
        if task then
            if not seen[task] then
                seen[task] = true
                tasks[#tasks + 1] = task
            end
            if task.callee then
                called[task.callee] = true
            end
        end
    end
    for task in pairs(strays) do
        seen[task] = true
    end
    for task in pairs(seen) do
        local session = task.session
        if session and session ~= 0 then
            csend(task.source, PTYPE_ERROR, session, "")
        end
    end
    for _, task in ipairs(tasks) do
        close(task.co)
    end
    for answer in pairs(unanswered) do
        answer(false)
    end
    for address in pairs(called) do
        csend(address, PTYPE_ERROR, 0, "")
    end

    core.callback(function(_, _, _, session, source)
        if session ~= 0 and source ~= 0 then
            csend(source, PTYPE_ERROR, session, "")
        end
    end)
    core.command "EXIT"
    yield "QUIT"
end

----- parts that are loaded when they are needed

local kernel
local parts = {}

function load_part(file)
    local part = parts[file]
    if part then
        return part
    end
    -- What the parts see of this file's state.
    kernel = kernel or {
        proto = proto,
        sessions = sessions,
        sleeping = sleeping,
        load = load_part,
        await = await,
        on_error = on_error,
        current = function()
            return current
        end,
        starting = function()
            return start_thread
        end,
        -- Takes a task out of those that were forked and did not run yet.
        unfork = function(co)
            for i = fork_head, fork_tail do
                if forks[i].co == co then
                    table.move(forks, i + 1, fork_tail + 1, i)
                    fork_tail = fork_tail - 1
                    return true
                end
            end
        end,
        -- Every new session that a part puts into `sessions` goes through here.
        check_session = function(session)
            if session >= horizon then
                beyond_horizon(session)
            end
            return session
        end,
        set_mark_timer = function(mark)
            mark_timer = mark
        end,
        traced = function()
            return tracing
        end,
        start_tracing = function(traces)
            tracing = true
            tracer = traces
        end,
    }
    part = require(file)(skynet, kernel)
    parts[file] = part
    return part
end

-- The functions of the API that are not in this file: each line has a file and its functions. They come into `skynet`
-- when one of a file's is first asked for. This is a text, not tables, because all services have the same one.
local PARTS = [[
skynet.node starttime time setenv endless mqlen stat memlimit uniqueservice queryservice term
skynet.request request
skynet.tasks task uniqtask killthread trace_timeout
skynet.tracing trace tracecall traceproto
skynet.unknown dispatch_unknown_request dispatch_unknown_response
]]
local PART = "(%S+)([^\n]*)"
local taken_parts = {}

local function take_part(file, names)
    local part = load_part(file)
    taken_parts[file] = true -- what is set to nil later does not come back
    for name in names:gmatch "%S+" do
        if rawget(skynet, name) == nil then
            rawset(skynet, name, part[name])
        end
    end
end

setmetatable(skynet, {
    __index = function(_, wanted)
        local pattern = " " .. tostring(wanted) .. " "
        for file, names in PARTS:gmatch(PART) do
            if not taken_parts[file] and (names .. " "):find(pattern, 1, true) then
                take_part(file, names)
                return rawget(skynet, wanted)
            end
        end
    end,
    __pairs = function()
        for file, names in PARTS:gmatch(PART) do
            if not taken_parts[file] then
                take_part(file, names)
            end
        end
        return next, skynet
    end,
})

skynet.register_protocol { name = "lua", id = PTYPE_LUA, pack = cpack, unpack = core.unpack }
skynet.register_protocol { name = "response", id = PTYPE_RESPONSE }
skynet.register_protocol {
    name = "error",
    id = PTYPE_ERROR,
    unpack = function(...) return ... end,
    dispatch = on_error,
}

require "skynet.debug".init(skynet, {
    dispatch = dispatch_message,
    -- A debugger stops a task by a yield of its own and lets it go on through these two.
    resume = function(co, ...)
        for task in pairs(strays) do
            if task.co == co then
                strays[task] = nil
                current = task
                break
            end
        end
        return resume(co, ...)
    end,
    suspend = function(co, ok, what)
        local task = current.co == co and current or { co = co, session = false }
        local err = settle(task, ok, what)
        if err then
            error(err, 0)
        end
    end,
})

return skynet

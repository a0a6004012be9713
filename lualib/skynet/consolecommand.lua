--- The commands of the debug console. Each is called with the words behind its name; what it returns is shown, errors are
--- too.

local skynet = require "skynet"
local core = require "skynet.core"
local codecache = require "skynet.codecache"
local memory = require "skynet.memory"
local socket = require "skynet.socket"

--- How long the launcher waits for services' answers, unless told. Centiseconds.
local PATIENCE <const> = 300

-- Errors are for who has typed the command: without a position in this file.
local function refuse(reason)
    error(reason, 0)
end

-- "hex" and ":hex" are handles, ".name" is a local name.
local function handle_of(word)
    if not word then
        refuse "Need an address"
    end
    if word:sub(1, 1) == "." then
        return skynet.localname(word) or refuse "Not a valid name"
    end
    local full = word:sub(1, 1) == ":"
    local digits = full and word:sub(2) or word
    local handle = digits:match "^%x+$" and tonumber(digits, 16)
    if not handle then
        refuse "Need an address"
    end
    if full then
        return handle
    end
    return handle | (skynet.harbor(skynet.self()) << 24)
end

-- Zero and less: as long as it takes.
local function patience(word)
    if not word then
        return PATIENCE
    end
    local time = math.tointeger(tonumber(word))
    if not time then
        refuse(("Need a timeout in 1/100 s, not %s"):format(word))
    end
    return time > 0 and time or nil
end

local function truth(word)
    return word == "on" or word == "true"
end

-- "on" and "off" as booleans, anything else as it is.
local function switch(word)
    if word == "on" or word == "off" then
        return word == "on"
    end
    return word
end

local function ask_launcher(...)
    return skynet.call(".launcher", "lua", ...)
end

local function debug_call(address, ...)
    return skynet.call(handle_of(address), "debug", ...)
end

-- What a launched service is shown as.
local function launched(ok, handle, absent, name)
    if not ok then
        return "Failed"
    end
    if not handle then
        return absent
    end
    return { [skynet.address(handle)] = name }
end

-- What `help` shows: a name, and a text that is the same on every skynet.
local descriptions = {}
for name, text in ([[
    call: call address ...
    clearcache: clear lua code cache
    cmem: Show C memory info
    dbgcmd: run address debug command
    debug: debug address : debug a lua service
    dumpheap: dumpheap : dump heap profilling
    exit: exit address : kill a lua service
    gc: gc : force every lua service do garbage collect
    getenv: getenv name : skynet.getenv(name)
    help: This help message
    info: info address : get service infomation
    inject: inject address luascript.lua
    jmem: Show jemalloc mem stats
    kill: kill address : kill service
    killtask: killtask address threadname : threadname listed by task
    list: List all the service
    log: launch a new lua service with log
    logoff: logoff address
    logon: logon address
    mem: mem : show memory status
    netstat: netstat : show netstat
    ping: ping address
    profactive: profactive [on|off] : active/deactive jemalloc heap profilling
    service: List unique service
    setenv: setenv name value: skynet.setenv(name,value)
    signal: signal address sig
    snax: lanuch a new snax service
    start: lanuch a new lua service
    stat: Dump all stats
    task: task address : show service task detail
    trace: trace address [proto] [on|off]
    uniqtask: task address : show service unique task detail
]]):gmatch "(%w+): ([^\n]+)" do
    descriptions[name] = text
end

local command = {}

function command.help()
    return descriptions
end

----- launching and ending services

function command.start(name, ...)
    local ok, handle = pcall(skynet.newservice, name, ...)
    return launched(ok, handle, "Exit", name)
end

function command.log(name, ...)
    local ok, handle = pcall(ask_launcher, "LOGLAUNCH", "snlua", name, ...)
    return launched(ok, handle, "Failed", name)
end

function command.snax(name, ...)
    local ok, service = pcall(function(...)
        return require "skynet.snax".newservice(...)
    end, name, ...)
    return launched(ok, ok and service.handle, "Failed", name)
end

function command.exit(address)
    skynet.send(handle_of(address), "debug", "EXIT")
end

function command.kill(address)
    return ask_launcher("KILL", handle_of(address))
end

----- all services

function command.list()
    return ask_launcher "LIST"
end

function command.service()
    return skynet.call("SERVICE", "lua", "LIST")
end

function command.stat(time)
    return ask_launcher("STAT", patience(time))
end

function command.mem(time)
    return ask_launcher("MEM", patience(time))
end

function command.gc(time)
    return ask_launcher("GC", patience(time))
end

function command.clearcache()
    codecache.clear()
end

----- one service

function command.dbgcmd(address, name, ...)
    return debug_call(address, name, ...)
end

function command.info(address, ...)
    return debug_call(address, "INFO", ...)
end

function command.task(address)
    return debug_call(address, "TASK")
end

function command.uniqtask(address)
    return debug_call(address, "UNIQTASK")
end

function command.killtask(address, thread)
    return debug_call(address, "KILLTASK", thread or refuse "Need a thread")
end

--- How long the service takes to answer, in centiseconds.
function command.ping(address)
    local asked = skynet.now()
    debug_call(address, "PING")
    return tostring(skynet.now() - asked)
end

function command.inject(address, filename, ...)
    local handle = handle_of(address)
    local file = io.open(filename or refuse "Need a file", "rb")
    local source = file and file:read "a"
    if file then
        file:close()
    end
    if not source then
        return "Can't open " .. filename
    end
    local ok, output = skynet.call(handle, "debug", "RUN", source, filename, ...)
    if ok == false then
        refuse(output)
    end
    return output
end

function command.trace(address, typename, flag)
    if flag then
        flag = truth(flag)
    else
        typename = switch(typename)
    end
    debug_call(address, "TRACELOG", typename, flag)
end

function command.logon(address)
    core.command("LOGON", skynet.address(handle_of(address)))
end

function command.logoff(address)
    core.command("LOGOFF", skynet.address(handle_of(address)))
end

function command.signal(address, number)
    local target = skynet.address(handle_of(address))
    if number then
        local signal = math.tointeger(tonumber(number)) or refuse(("Need a signal's number, not %s"):format(number))
        target = ("%s %d"):format(target, signal)
    end
    core.command("SIGNAL", target)
end

----- memory

function command.cmem()
    local bytes = { total = memory.total(), block = memory.block() }
    for handle, size in pairs(memory.info()) do
        bytes[skynet.address(handle)] = size
    end
    return bytes
end

function command.jmem()
    local figures = {}
    for name, bytes in pairs(memory.jestat()) do
        figures[name] = ("%11d  %8.2f Mb"):format(bytes, bytes / (1 << 20))
    end
    return figures
end

function command.profactive(flag)
    if flag then
        memory.profactive(switch(flag))
    end
    return "heap profilling is " .. (memory.profactive() and "active" or "deactive")
end

function command.dumpheap()
    memory.dumpheap()
end

----- sockets

-- Nothing of a size that is zero is shown.
local function size_text(bytes)
    if not bytes or bytes == 0 then
        return nil
    elseif bytes < 1 << 10 then
        return bytes
    elseif bytes < 1 << 20 then
        return bytes / (1 << 10) .. "K"
    end
    return bytes / (1 << 20) .. "M"
end

-- How long ago a time was, both in centiseconds.
local function age_text(time)
    if not time then
        return nil
    end
    local age = skynet.now() - time
    if age < 60 * 100 then
        return age / 100 .. "s"
    end
    local minutes, rest = age // (60 * 100), age % (60 * 100)
    local hours = minutes // 60
    return ("%s%d:%.2gs"):format(hours > 0 and hours .. ":" or "", minutes % 60, rest / 100)
end

function command.netstat()
    local list = socket.netstat()
    for _, info in ipairs(list) do
        info.address = skynet.address(info.address)
        for _, name in ipairs { "read", "write", "wbuffer" } do
            info[name] = size_text(info[name])
        end
        for _, name in ipairs { "rtime", "wtime" } do
            info[name] = age_text(info[name])
        end
    end
    return list
end

----- the config

function command.getenv(name)
    return { [name or refuse "Need a name"] = tostring(skynet.getenv(name)) }
end

function command.setenv(name, value)
    if not (name and value) then
        refuse "Need a name and a value"
    end
    return skynet.setenv(name, value)
end

--- These get the whole line, the words behind their name, and the console's connection.
local whole_line = {}

--- Calls a service with Lua values: `call ADDRESS "name", 1, { x = 2 }`. What it answers is shown one value a line.
function whole_line.call(line, words)
    local handle = handle_of(words[1])
    local values = line:match "^%s*%S+%s+%S+%s(.+)" or refuse "need arguments"
    local evaluate = load("return " .. values, "debug console", "t", {}) or refuse "Invalid arguments"
    local arguments = table.pack(pcall(evaluate))
    if not arguments[1] then
        refuse(arguments[2])
    end
    return table.pack(skynet.call(handle, "lua", table.unpack(arguments, 2, arguments.n)))
end

--- Opens a debugger: until it leaves, the connection's lines are its. See skynet.remotedebug.
function whole_line.debug(_, words, connection)
    local handle = handle_of(words[1])
    local agent = skynet.newservice "debug_agent"
    connection:lend(function(line)
        skynet.send(agent, "lua", "cmd", line)
    end)
    local ok, reason = skynet.call(agent, "lua", "start", handle, connection.id)
    if not ok then
        refuse(reason)
    end
end

--- Runs one line of a console.
---@param line string
---@param connection { id: integer, lend: fun(self, take: fun(line: string)) }  socket; `lend` hands the connection's next
--- lines to a function, until this call returns
---@return boolean|nil ok  nil: there is no such command
---@return any result  or what went wrong
return function(line, connection)
    local words = {}
    for word in line:gmatch "%S+" do
        words[#words + 1] = word
    end
    local name = table.remove(words, 1)
    if command[name] then
        return pcall(command[name], table.unpack(words))
    elseif whole_line[name] then
        return pcall(whole_line[name], line, words, connection)
    end
    return nil
end

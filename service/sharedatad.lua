--- The owner of what `skynet.sharedata` shares. Each object counts its users: this service for the one that a name has
--- now, a message with an object from when it is sent until it is confirmed, or its receiver has ended, and every box in
--- another service. One that no name has any more is freed when nobody uses it; as no message says so, it is looked at
--- from time to time.

local skynet = require "skynet"
local host = require "skynet.sharedata.corelib".host

-- Files that are loaded here are data, and other ones each time.
require "skynet.codecache".mode "OFF"

--- How long to wait, in centiseconds, between two looks at objects that were replaced: at first, and at last.
local FIRST_LOOK <const>, LAST_LOOK <const> = 100, 6000
--- How many wait for an update of a name before it is checked that they still exist.
local FEW_WATCHERS <const> = 16

---@class sharedatad.entry
---@field object lightuserdata
---@field watchers { source: integer, respond: function }[]  those who wait for another object
---@field check integer  how many they are when they are checked

---@type table<string, sharedatad.entry>
local entries = {}
--- object -> true: a name has it, false: it has been replaced
local objects = {}
--- source -> object -> how many messages with it the source has not confirmed
local unconfirmed = {}

local collecting = false
local pause

--- Frees what nobody uses; whether there is more.
local function collect()
    local left = false
    for object, named in pairs(objects) do
        if not named then
            if host.getref(object) <= 0 then
                objects[object] = nil
                host.delete(object)
            else
                left = true
            end
        end
    end
    return left
end

--- Looks at replaced objects until all are freed, ever less often.
local function collect_all()
    repeat
        skynet.sleep(pause)
        -- What the objects were made of.
        collectgarbage()
        pause = math.min(pause * 2, LAST_LOOK)
    until not collect()
    collecting = false
end

--- An object that no name has any more.
local function retire(object)
    objects[object] = false
    host.decref(object)
    pause = FIRST_LOOK
    if not collecting then
        collecting = true
        skynet.fork(collect_all)
    end
end

--- Runs a program for its table.
local function run(name, source, ...)
    local globals = setmetatable({}, { __index = _ENV })
    local chunk, reason
    if source:sub(1, 1) == "@" then
        chunk, reason = loadfile(source:sub(2), "bt", globals)
    else
        chunk, reason = load(source, "=" .. name, "bt", globals)
    end
    if not chunk then
        error(reason, 0)
    end
    local ok, result = skynet.pcall(chunk, ...)
    if not ok then
        error(result, 0)
    end
    setmetatable(globals, nil)
    return type(result) == "table" and result or globals
end

--- An object, of which this service is a user.
local function build(name, value, ...)
    local kind = type(value)
    local content = value
    if kind == "string" then
        content = run(name, value, ...)
    elseif kind == "nil" then
        content = {}
    elseif kind ~= "table" then
        error("Unknown data type " .. kind)
    end
    local object = host.new(content)
    host.incref(object)
    objects[object] = true
    return object
end

local function find(name)
    local entry = entries[name]
    if not entry then
        error("sharedata: nothing is named " .. tostring(name))
    end
    return entry
end

--- Counts a message with an object to a service.
local function send(source, object)
    local counts = unconfirmed[source] or {}
    unconfirmed[source] = counts
    counts[object] = (counts[object] or 0) + 1
    host.incref(object)
end

--- Counts off one that has arrived, or that nobody will get.
local function arrived(source, object)
    local counts = unconfirmed[source]
    local count = counts and counts[object]
    if count then
        counts[object] = count > 1 and count - 1 or nil
        if next(counts) == nil then
            unconfirmed[source] = nil
        end
        host.decref(object)
    end
end

--- Sends an object to those who wait, or nothing when its name has ended.
local function tell(entry, object)
    local watchers = entry.watchers
    entry.watchers, entry.check = {}, FEW_WATCHERS
    for _, watcher in ipairs(watchers) do
        if not object then
            watcher.respond(true)
        else
            send(watcher.source, object)
            if not watcher.respond(true, object) then
                -- It has gone, and will not confirm.
                arrived(watcher.source, object)
            end
        end
    end
end

local function watch(entry, watcher)
    local watchers = entry.watchers
    if #watchers >= entry.check then
        local alive = {}
        for _, other in ipairs(watchers) do
            if other.respond "TEST" then
                table.insert(alive, other)
            end
        end
        watchers, entry.watchers = alive, alive
        entry.check = math.max(FEW_WATCHERS, #alive * 2)
    end
    table.insert(watchers, watcher)
end

--- The handlers answer by themselves.
local command = {}

local function add(name, object)
    entries[name] = { object = object, watchers = {}, check = FEW_WATCHERS }
end

function command.new(_, name, value, ...)
    local object = not entries[name] and build(name, value, ...)
    -- The program may have let another message in.
    if not object or entries[name] then
        if object then
            retire(object)
        end
        error("sharedata.new: there is something named " .. tostring(name))
    end
    add(name, object)
    skynet.retpack()
end

function command.update(_, name, value, ...)
    -- If this fails, everything stays as it is.
    local object = build(name, value, ...)
    local entry = entries[name]
    if entry then
        local before = entry.object
        entry.object = object
        -- Readers that see the mark ask for the new object.
        host.markdirty(before)
        tell(entry, object)
        retire(before)
    else
        add(name, object)
    end
    skynet.retpack()
end

function command.delete(_, name)
    local entry = find(name)
    entries[name] = nil
    tell(entry, nil)
    retire(entry.object)
    skynet.retpack()
end

function command.query(source, name)
    local object = find(name).object
    send(source, object)
    skynet.retpack(object)
end

function command.confirm(source, object)
    skynet.ignoreret()
    arrived(source, object)
end

--- A service has ended, and confirms nothing any more.
function command.close(source)
    skynet.ignoreret()
    for object, count in pairs(unconfirmed[source] or {}) do
        for _ = 1, count do
            arrived(source, object)
        end
    end
end

--- Answers when a name has another object than this one; with nothing when it has ended.
function command.monitor(source, name, object)
    local entry = entries[name]
    if not entry then
        skynet.retpack()
    elseif entry.object ~= object then
        send(source, entry.object)
        skynet.retpack(entry.object)
    else
        watch(entry, { source = source, respond = skynet.response() })
    end
end

skynet.start(function()
    skynet.dispatch("lua", function(_, source, name, ...)
        local run_command = command[name]
        if not run_command then
            error("unknown sharedata command " .. tostring(name))
        end
        run_command(source, ...)
    end)
end)

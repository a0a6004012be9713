--- skynet.datasheet: services read what a builder replaces, each document as a whole; documents that nobody reads any
--- more are given up.

local skynet = require "skynet.manager"
local print = require "print_line"
local refuses = require "refuses"
local versions = require "share.versions"

local READERS <const> = 4
local UPDATES <const> = 100
local role = ...

-- A service that builds does so before it reads: it waits for a builder otherwise.
local builder = role ~= "reader" and require "skynet.datasheet.builder"
local datasheet = require "skynet.datasheet"

--- Each version has a key of its own.
local function content(number)
    local made = versions.content(number)
    made["only " .. number] = {}
    return made
end

local function check(sheet)
    local number = versions.check(sheet)
    for key in pairs(sheet) do
        assert(not key:find "^only" or key == "only " .. number, "something of another version is left")
    end
    return number
end

if role == "reader" then
    local sheet

    local command = {}

    function command.open(name)
        sheet = datasheet.query(name)
        return check(sheet)
    end

    function command.follow(last)
        local list, deep = sheet.list, sheet.deep.deep
        local number = check(sheet)
        while number < last do
            skynet.yield()
            local now = check(sheet)
            assert(now >= number and deep.number == now and list[100].number == now)
            number = now
        end
        return number
    end

    versions.serve(command)
    return
end

local function names()
    builder.new("simple", { a = 1, list = { "x" } })
    local sheet = datasheet.query "simple"
    assert(sheet == datasheet.query "simple" and sheet.a == 1 and sheet.list[1] == "x")
    assert(skynet.unpack(skynet.packstring(sheet)).list[1] == "x")
    refuses("simple is there already", builder.new, "simple", {})
    refuses("other is not there yet", builder.update, "other", {})
    refuses("Unsupport value", builder.new, "other", { print })
    refuses("Invalid datasheet", builder.new, "other", "no document")
    refuses("", builder.update, "simple", "no document")
    builder.new("other", builder.compile { 5 })
    assert(datasheet.query "other"[1] == 5)
    -- Several tasks ask at once.
    local done = 0
    builder.new("shared", { 6 })
    for _ = 1, 5 do
        skynet.fork(function()
            assert(datasheet.query "shared"[1] == 6)
            done = done + 1
            skynet.wakeup(names)
        end)
    end
    while done < 5 do
        skynet.wait(names)
    end
    -- A name that is not there is asked for again the next time.
    for _ = 1, 2 do
        assert(not pcall(datasheet.query, "late"))
    end
    builder.new("late", { 7 })
    assert(datasheet.query "late"[1] == 7)
    -- Both at once are one after the other.
    for i = 8, 9 do
        skynet.fork(function()
            builder.update("late", { i })
            done = done + 1
            skynet.wakeup(names)
        end)
    end
    while done < 7 do
        skynet.wait(names)
    end
end

--- How many documents the keeper knows.
local function documents()
    local count = 0
    for _ in pairs(skynet.call(require "skynet.service".query "datasheet", "debug", "INFO")) do
        count = count + 1
    end
    return count
end

local function monitors(name)
    return skynet.call(require "skynet.service".query "datasheet", "debug", "INFO")[name].monitors
end

local function load()
    builder.new("load", content(1))
    return versions.follow("datasheet_services", READERS, "load", UPDATES, function(number)
        builder.update("load", content(number))
    end)
end

--- Waits for a condition; the node's deadline ends a wait in vain.
local function wait_until(condition)
    while not condition() do
        skynet.sleep(1)
    end
end

local function documents_are_given_up(readers)
    -- Of each of the names there is one.
    wait_until(function() return documents() == 5 end)
    wait_until(function() return monitors "load" == READERS end)
    collectgarbage()
    local before = collectgarbage "count"
    for number = 1, 20 do
        builder.update("load", { number = number, text = ("x"):rep(1 << 20) })
    end
    builder.update("load", content(0))
    wait_until(function() return documents() == 5 end)
    collectgarbage()
    assert(collectgarbage "count" - before < 1 << 10, "documents are left")
    -- Readers that are gone hold nothing.
    for i, reader in ipairs(readers) do
        assert(monitors "load" == READERS - i + 1)
        skynet.kill(reader)
        wait_until(function() return monitors "load" == READERS - i end)
    end
    builder.update("load", {})
    wait_until(function() return documents() == 5 end)
end

skynet.start(function()
    local ok, err = xpcall(function()
        names()
        documents_are_given_up(load())
    end, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

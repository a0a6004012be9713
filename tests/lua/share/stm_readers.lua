--- skynet.stm: one service writes, others read on other threads, and every version is whole, comes in order and is
--- freed.

local skynet = require "skynet.manager"
local memory = require "skynet.memory"
local stm = require "skynet.stm"
local print = require "print_line"
local refuses = require "refuses"

local READERS <const> = 6
local VERSIONS <const> = 3000
local role = ...

--- Five words that say the same, with a long text between them.
local function pack(number)
    return skynet.pack(number, number, ("x"):rep(number % 500), number, #("x"):rep(number % 500))
end

local function check(a, b, text, c, length)
    assert(a == b and b == c and #text == length, "half a version")
    return a
end

if role == "reader" then
    local reader

    -- Reads until the last version has come, and takes turns with the node's other services. The sum of what it saw,
    -- and how much that was.
    local function read_all(last)
        local seen, count, sum = 0, 0, 0
        while seen < last do
            local changed, number = reader(function(msg, sz)
                return check(skynet.unpack(msg, sz))
            end)
            if changed then
                assert(number > seen, "versions go back")
                seen, count, sum = number, count + 1, sum + number
            end
            skynet.yield()
        end
        return count, sum
    end

    skynet.start(function()
        skynet.dispatch("lua", function(_, _, command, argument)
            if command == "open" then
                reader = stm.newcopy(argument)
                skynet.retpack(true)
            elseif command == "read" then
                skynet.retpack(read_all(argument))
            elseif command == "close" then
                reader = nil
                collectgarbage()
                skynet.retpack(true)
            end
        end)
    end)
    return
end

local function read_one(reader)
    return reader(skynet.unpack)
end

local function results()
    local writer = stm.new(skynet.pack(1, nil, "three"))
    local reader = stm.newcopy(stm.copy(writer))
    local read = table.pack(reader(skynet.unpack))
    assert(read.n == 4 and read[1] == true and read[2] == 1 and read[3] == nil and read[4] == "three")
    read = table.pack(reader(skynet.unpack))
    assert(read.n == 1 and read[1] == false)
    -- The function gets address, size and one more argument, which is nil without one.
    writer "text"
    read = table.pack(reader(function(...)
        local msg, sz = ...
        assert(select("#", ...) == 3 and select(3, ...) == "more")
        return skynet.tostring(msg, sz)
    end, "more", "and more"))
    assert(read.n == 2 and read[2] == "text")
    writer(skynet.pack "second")
    writer ""
    assert(select("#", reader(function(msg, sz) assert(sz == 0) end)) == 1)
    -- Each reader has its own place.
    local other = stm.newcopy(stm.copy(writer))
    assert(other(function() return "seen" end))
    assert(not reader(print) and not other(print))
end

--- The writer goes: readers find nothing more, and nothing is left.
local function the_end_of_a_writer()
    local text = ("y"):rep(1 << 20)
    collectgarbage()
    local before = memory.current()
    local writer = stm.new(text)
    local reader = stm.newcopy(stm.copy(writer))
    assert(reader(function(_, sz) return sz end))
    writer(text)
    writer = nil
    collectgarbage()
    assert(memory.current() - before > #text, "what was read is gone")
    assert(reader(print) == false and reader(print) == false)
    assert(memory.current() - before < #text, "a version is left")
end

local function errors_in_a_reader()
    local text = ("z"):rep(1 << 20)
    collectgarbage()
    local before = memory.current()
    local writer = stm.new(text)
    local reader = stm.newcopy(stm.copy(writer))
    -- A version that is no message, and one that is cut off.
    refuses("Invalid serialize stream", reader, skynet.unpack)
    assert(reader(skynet.unpack) == false, "a version is read twice")
    writer(skynet.packstring("long text", {}):sub(1, -2))
    refuses("Invalid serialize stream", reader, skynet.unpack)
    -- What fails while it reads another version keeps its own until then.
    writer(text)
    refuses("on purpose", reader, function(msg, sz)
        for number = 1, 3 do
            writer(skynet.pack(number))
            assert(select(2, read_one(reader)) == number)
        end
        assert(skynet.tostring(msg, sz) == text)
        error "on purpose"
    end)
    assert(memory.current() - before < #text, "a version is left")
    writer(skynet.pack "after")
    assert(select(2, read_one(reader)) == "after")
    refuses("attempt to yield across a C-call boundary", coroutine.wrap(function()
        writer "again"
        reader(coroutine.yield)
    end))
end

local function errors()
    local writer = stm.new "text"
    local reader = stm.newcopy(stm.copy(writer))
    for _, wrong in ipairs { 1, "text", {}, reader, io.stdout } do
        refuses("stm writer expected", stm.copy, wrong)
    end
    for _, wrong in ipairs { 1, "text", {}, writer, io.stdout } do
        refuses("stm copy expected", stm.newcopy, wrong)
    end
    refuses("string expected", stm.new)
    refuses("string expected", stm.new, {})
    refuses("string expected", writer)
    refuses("string expected", writer, io.stdout, 1)
    refuses("function expected", reader, "text")
    local msg, sz = skynet.pack "text"
    refuses("number expected", stm.new, msg)
    refuses("not a message's size", stm.new, msg, -1)
    refuses("not a message's size", writer, msg, -sz)
    skynet.trash(msg, sz)
    -- Objects that were collected by hand.
    getmetatable(writer).__gc(writer)
    refuses("stm writer expected", writer, "text")
    refuses("stm writer expected", stm.copy, writer)
    getmetatable(reader).__gc(reader)
    refuses("stm reader expected", reader, print)
    refuses("stm reader expected", getmetatable(reader).__call, {}, print)
    do
        local unread <close> = stm.newcopy(stm.copy(stm.new "text"))
    end
end

local function load()
    local writer = stm.new(pack(1))
    local readers = {}
    for i = 1, READERS do
        readers[i] = skynet.newservice("stm_readers", "reader")
        skynet.call(readers[i], "lua", "open", stm.copy(writer))
    end
    local reports = {}
    for i, reader in ipairs(readers) do
        skynet.fork(function()
            reports[i] = table.pack(skynet.call(reader, "lua", "read", VERSIONS))
            skynet.wakeup(reports)
        end)
    end
    for number = 2, VERSIONS do
        writer(pack(number))
        if number % 10 == 0 then
            skynet.yield()
        end
    end
    local done = 0
    while done < READERS do
        skynet.wait(reports)
        done = 0
        for _, report in pairs(reports) do
            local count, sum = report[1], report[2]
            assert(count >= 1 and sum >= VERSIONS and sum <= VERSIONS * (VERSIONS + 1) // 2)
            done = done + 1
        end
    end
    for _, reader in ipairs(readers) do
        skynet.call(reader, "lua", "close")
        skynet.kill(reader)
    end
end

local function run()
    results()
    the_end_of_a_writer()
    errors_in_a_reader()
    errors()
    load()
end

skynet.start(function()
    local ok, err = xpcall(run, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

--- skynet.sharemap: a board that one service writes and others read.

local skynet = require "skynet.manager"
local sharemap = require "skynet.sharemap"
local print = require "print_line"
local refuses = require "refuses"

local READERS <const> = 3
local VERSIONS <const> = 500
local role = ...

if role == "reader" then
    local board

    local function follow(last)
        while board.x ~= last do
            local changed, data = board:update()
            if changed then
                assert(data.x == board.x)
                assert(data.x == -data.y and #data.places == data.x % 10 and data.title == "title " .. data.x)
            end
            skynet.yield()
        end
    end

    skynet.start(function()
        skynet.dispatch("lua", function(_, _, command, ...)
            if command == "open" then
                board = sharemap.reader(...)
            elseif command == "follow" then
                follow(...)
            end
            skynet.retpack(board.x, board.y, board.title, board.places)
        end)
    end)
    return
end

local function fill(board, number)
    board.x, board.y, board.title = number, -number, "title " .. number
    board.places = {}
    for i = 1, number % 10 do
        board.places[i] = { name = "place " .. i, number = i }
    end
end

local function fields()
    local writer = sharemap.writer("Board", { x = 0, title = "first" })
    local reader = sharemap.reader("Board", writer:copy())
    assert(reader.x == 0 and reader.y == nil and reader.title == "first")
    assert(reader:update() == false)
    writer.y = 2
    assert(writer.y == 2 and reader:update() == false, "seen before it was committed")
    writer.by_name = { here = { name = "here", number = 1 } }
    writer:commit()
    assert(reader.y == nil)
    local changed, data = reader:update()
    assert(changed == true and data.y == 2 and reader.y == 2 and reader.by_name.here.number == 1)
    -- What is gone in one version is gone in readers.
    writer.title = nil
    writer:commit()
    assert(reader:update() and reader.title == nil and reader.x == 0)
    local empty = sharemap.reader("Place", sharemap.writer "Place":copy())
    assert(empty.name == nil and not empty:update())
end

local function errors()
    refuses("type not found: Nothing", sharemap.writer, "Nothing", {})
    refuses("Can't open sproto file", sharemap.register, "no/such/file")
    local writer = sharemap.writer("Board", { x = 1 })
    local reader = sharemap.reader("Board", writer:copy())
    refuses("Board is for reading, x cannot be set", function() reader.x = 2 end)
    -- Nothing is published of what cannot be encoded.
    writer.x = "not a number"
    refuses("", writer.commit, writer)
    assert(not reader:update() and reader.x == 1)
    -- A reader of another type does not take it, and keeps what it had.
    writer.x = 3
    writer:commit()
    reader.__typename = "Nothing"
    refuses("type not found: Nothing", reader.update, reader)
    assert(reader.x == 1)
end

local function load()
    local writer = sharemap.writer("Board", { x = 0, y = 0, title = "title 0", places = {} })
    local readers = {}
    for i = 1, READERS do
        readers[i] = skynet.newservice("sharemap_board", "reader")
        assert(skynet.call(readers[i], "lua", "open", "Board", writer:copy()) == 0)
    end
    local waiting = READERS
    for _, reader in ipairs(readers) do
        skynet.fork(function()
            local x, y, title, places = skynet.call(reader, "lua", "follow", VERSIONS)
            assert(x == VERSIONS and y == -x and title == "title " .. x and #places == x % 10)
            waiting = waiting - 1
            skynet.wakeup(readers)
        end)
    end
    for number = 1, VERSIONS do
        fill(writer, number)
        writer:commit()
        skynet.yield()
    end
    while waiting > 0 do
        skynet.wait(readers)
    end
end

local function run()
    sharemap.register "tests/lua/share/shared.sproto"
    fields()
    errors()
    load()
end

skynet.start(function()
    local ok, err = xpcall(run, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

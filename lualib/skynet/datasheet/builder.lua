--- Makes tables for `skynet.datasheet`. Each is a document, a string of this service; other services read it in place,
--- so this service must live as long as they do.

local skynet = require "skynet"
local core = require "skynet.datasheet.core"
local dump = require "skynet.datasheet.dump"
local new_queue = require "skynet.queue"
local service = require "skynet.service"

--- It knows which documents are current and who holds which. Made from a function: it refers to globals only.
local function main()
    local skynet = require "skynet"

    -- A handle is the address of a document.
    -- owner: the builder, until it has replaced the document; users: source -> how often; count: their sum
    local handles = {}
    -- name -> { handle, waiting: source -> response of who waits for another handle }
    local sheets = {}

    local function hold(handle, source)
        local record = handles[handle]
        record.users[source] = (record.users[source] or 0) + 1
        record.count = record.count + 1
    end

    local function free_if_unused(handle)
        local record = handles[handle]
        -- The builder asks, perhaps later, when it may give up the document.
        if not record.owner and record.count == 0 and record.collect then
            handles[handle] = nil
            record.collect(true)
        end
    end

    local function find(handle)
        local record = handles[handle]
        if not record then
            error "Invalid data handle"
        end
        return record
    end

    local command = {}

    --- A builder makes a sheet or replaces it.
    function command.update(source, name, handle)
        local sheet = sheets[name]
        local waiting = sheet and sheet.waiting or {}
        handles[handle] = { name = name, owner = source, users = {}, count = 0 }
        sheets[name] = { handle = handle, waiting = {} }
        for other, respond in pairs(waiting) do
            hold(handle, other)
            if not respond(true, handle) then
                command.release(other, handle)
            end
        end
        skynet.ret()
    end

    function command.query(source, name)
        local sheet = sheets[name]
        if not sheet then
            error "create data first"
        end
        hold(sheet.handle, source)
        skynet.retpack(sheet.handle)
    end

    --- Answers when a handle is not the current one.
    function command.monitor(source, handle)
        local sheet = sheets[find(handle).name]
        if sheet.handle ~= handle then
            hold(sheet.handle, source)
            skynet.retpack(sheet.handle)
        else
            assert(not sheet.waiting[source], "datasheet: a service waits for one handle at a time")
            sheet.waiting[source] = skynet.response()
        end
    end

    --- A reader gives up a handle, or a builder one that it has replaced.
    function command.release(source, handle)
        local record = find(handle)
        local held = record.users[source]
        if held then
            record.users[source] = held > 1 and held - 1 or nil
            record.count = record.count - 1
        elseif record.owner == source then
            record.owner = nil
        end
        free_if_unused(handle)
    end

    --- A reader goes.
    function command.close(source)
        for _, sheet in pairs(sheets) do
            local respond = sheet.waiting[source]
            if respond then
                sheet.waiting[source] = nil
                respond(false)
            end
        end
        for handle, record in pairs(handles) do
            local held = record.users[source]
            if held then
                record.users[source] = nil
                record.count = record.count - held
                free_if_unused(handle)
            end
        end
    end

    --- Answers when nobody needs a handle any more.
    function command.collect(_, handle)
        local record = find(handle)
        assert(not record.collect, "Only one collect allows")
        record.collect = skynet.response()
        free_if_unused(handle)
    end

    skynet.dispatch("lua", function(session, source, name, ...)
        if session == 0 then
            skynet.ignoreret()
        end
        command[name](source, ...)
    end)

    skynet.info_func(function()
        local report = {}
        for handle, record in pairs(handles) do
            if sheets[record.name].handle == handle then
                report[record.name] = { handle = handle, monitors = record.count }
            else
                report[handle] = record.count
            end
        end
        return report
    end)
end

local keeper

skynet.init(function()
    keeper = service.new("datasheet", main)
end)

--- name -> its document
local current = {}
--- address -> document, until nobody reads it
local alive = {}
local documents = 0
--- One document after another: each is made from the one before it.
local in_turn = new_queue()

--- Documents differ in their last bytes, which are none of their content, so that their addresses do.
local function publish(name, document)
    documents = documents + 1
    document = document .. documents
    local handle = core.stringpointer(document)
    alive[handle] = document
    skynet.call(keeper, "lua", "update", name, handle)
    current[name] = document
    skynet.fork(function()
        skynet.call(keeper, "lua", "collect", handle)
        alive[handle] = nil
    end)
end

local function compiled(value)
    return type(value) == "string" and value or dump.dump(value)
end

local builder = {}

--- Makes a sheet under a new name.
---@param name string
---@param v table|string  a table, or what `compile` made of it
function builder.new(name, v)
    local document = compiled(v)
    in_turn(function()
        if current[name] then
            error(("datasheet.builder: %s is there already"):format(name))
        end
        publish(name, document)
    end)
end

--- Replaces a sheet that this service has made.
---@param name string
---@param v table|string
function builder.update(name, v)
    local document = compiled(v)
    in_turn(function()
        local last = current[name]
        if not last then
            error(("datasheet.builder: %s is not there yet"):format(name))
        end
        publish(name, dump.diff(last, document))
        skynet.send(keeper, "lua", "release", core.stringpointer(last))
    end)
end

--- A table as a string that `new` and `update` take.
---@param v table
---@return string
function builder.compile(v)
    return dump.dump(v)
end

return builder

--- Tables that another service has made with `skynet.datasheet.builder`, for reading. They are plain tables once they
--- have been read, and change when the builder replaces them.

local skynet = require "skynet"
local core = require "skynet.datasheet.core"
local service = require "skynet.service"
local at_close = require "skynet.closing"

local keeper

skynet.init(function()
    keeper = service.query "datasheet"
end)

---@class datasheet.entry
---@field object table|nil
---@field waiting thread[]|nil  tasks that wait for the one that asks
---@field failure any  why there is no object

--- name -> entry
---@type table<string, datasheet.entry>
local entries = {}

-- What finalisers of this service read is there until they have run.
at_close(function()
    if keeper then
        skynet.send(keeper, "lua", "close")
    end
end)

--- Goes on to each document that replaces a sheet's.
local function follow(object, handle)
    while true do
        local newer = skynet.call(keeper, "lua", "monitor", handle)
        core.update(object, newer)
        skynet.send(keeper, "lua", "release", handle)
        handle = newer
    end
end

local function ask(entry, name)
    local handle = skynet.call(keeper, "lua", "query", name)
    entry.object = core.new(handle)
    skynet.fork(follow, entry.object, handle)
end

local datasheet = {}

--- The table of a name, always the same one. An error if there is none yet.
---@param name string
---@return table
function datasheet.query(name)
    local entry = entries[name]
    if not entry then
        entry = { waiting = {} }
        entries[name] = entry
        local ok, err = pcall(ask, entry, name)
        if not ok then
            -- The next one asks again.
            entries[name] = nil
            entry.failure = err
        end
        local waiting = entry.waiting
        entry.waiting = nil
        for _, task in ipairs(waiting) do
            skynet.wakeup(task)
        end
    elseif entry.waiting then
        local task = coroutine.running()
        table.insert(entry.waiting, task)
        skynet.wait(task)
    end
    if entry.failure then
        error(entry.failure, 0)
    end
    return entry.object
end

return datasheet

--- Tables that say their number everywhere, and services that read them while they are replaced; no service.

local skynet = require "skynet.manager"

local ENTRIES <const> = 100

local versions = {}

---@param number integer
---@return table
function versions.content(number)
    local made = { number = number, list = {}, deep = { deep = { number = number } } }
    for i = 1, ENTRIES do
        made.list[i] = { number = number, name = "entry " .. i }
    end
    return made
end

--- The number of a table, all parts of which must have the same.
---@param shared table
---@return integer
function versions.check(shared)
    local number = shared.number
    assert(shared.deep.deep.number == number and #shared.list == ENTRIES)
    for i, entry in ipairs(shared.list) do
        assert(entry.number == number and entry.name == "entry " .. i, "half an update")
    end
    return number
end

--- Runs a reader: a service whose commands are functions.
---@param command table<string, function>
function versions.serve(command)
    skynet.start(function()
        skynet.dispatch("lua", function(_, _, name, ...)
            skynet.retpack(command[name](...))
        end)
    end)
end

--- Launches readers, which open what has version 1, and has them follow it while it is replaced.
---@param program string
---@param count integer
---@param name string  what they open
---@param last integer  the last version
---@param replace fun(number: integer)
---@return integer[] readers
function versions.follow(program, count, name, last, replace)
    local readers = {}
    for i = 1, count do
        readers[i] = skynet.newservice(program, "reader")
        assert(skynet.call(readers[i], "lua", "open", name) == 1)
    end
    local waiting = count
    for _, reader in ipairs(readers) do
        skynet.fork(function()
            assert(skynet.call(reader, "lua", "follow", last) == last)
            waiting = waiting - 1
            skynet.wakeup(readers)
        end)
    end
    for number = 2, last do
        replace(number)
        skynet.yield()
    end
    while waiting > 0 do
        skynet.wait(readers)
    end
    return readers
end

return versions

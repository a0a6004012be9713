--- Tables that all services of the node read in place: real tables, which nobody can change. One service of the node
--- owns them. It keeps each version until the services that have asked for it are gone, because they may have taken
--- strings and tables out of it.

local skynet = require "skynet"
local core = require "skynet.sharetable.core"
local service = require "skynet.service"
local at_close = require "skynet.closing"

--- The owner. Made from a function: it refers to globals only.
local function main()
    local skynet = require "skynet"
    local core = require "skynet.sharetable.core"

    -- A version: name, matrix, pointer; users: source -> true; count: how many
    -- name -> its current version
    local current = {}
    -- source -> set of versions
    local clients = {}
    -- set of all versions that are open
    local versions = {}

    local function close_if_unused(version)
        if version.count == 0 and current[version.name] ~= version then
            versions[version] = nil
            version.matrix:close()
            return true
        end
    end

    -- If it cannot be made, the name keeps what it has.
    local function add(name, ...)
        if name ~= name or name == nil then
            -- Nothing would close what is made for it.
            error("sharetable: not a name: " .. tostring(name))
        end
        local matrix = core.matrix(...)
        local version = { name = name, matrix = matrix, pointer = matrix:getptr(), users = {}, count = 0 }
        local before = current[name]
        current[name] = version
        versions[version] = true
        if before then
            close_if_unused(before)
        end
    end

    -- The pointer of a name's table, for a service that uses it from now on.
    local function use(source, name)
        local version = current[name]
        if not version then
            return nil
        end
        if not version.users[source] then
            version.users[source] = true
            version.count = version.count + 1
            local used = clients[source] or {}
            clients[source] = used
            used[version] = true
        end
        return version.pointer
    end

    local command = {}

    function command.loadfile(_, name, ...)
        add(name, "@" .. name, ...)
        skynet.ret()
    end

    function command.loadstring(_, name, text, ...)
        add(name, text, ...)
        skynet.ret()
    end

    function command.loadtable(_, name, msg, sz)
        local ok, err = pcall(add, name, "local unpack, msg, sz = ... return unpack(msg, sz)", skynet.unpack, msg, sz)
        skynet.trash(msg, sz)
        if not ok then
            error(err, 0)
        end
        skynet.ret()
    end

    function command.query(source, name)
        skynet.retpack(use(source, name))
    end

    function command.queryall(source, names)
        local pointers = {}
        if names then
            for _, name in ipairs(names) do
                pointers[name] = use(source, name)
            end
        else
            for name in pairs(current) do
                pointers[name] = use(source, name)
            end
        end
        skynet.retpack(pointers)
    end

    -- A client is gone.
    function command.close(source)
        skynet.ignoreret()
        local used = clients[source] or {}
        clients[source] = nil
        for version in pairs(used) do
            version.users[source] = nil
            version.count = version.count - 1
            if close_if_unused(version) then
                skynet.error(("Delete a version (%s) of %s"):format(version.pointer, version.name))
            end
        end
    end

    skynet.dispatch("lua", function(_, source, name, ...)
        local run = command[name]
        if not run then
            error("unknown sharetable command " .. tostring(name))
        end
        run(source, ...)
    end)

    skynet.info_func(function()
        local report, history = {}, {}
        for name, version in pairs(current) do
            report[name] = { current = version.pointer, size = version.matrix:size() }
            history[name] = {}
        end
        for version in pairs(versions) do
            local users = {}
            for source in pairs(version.users) do
                table.insert(users, skynet.address(source))
            end
            if #users > 0 then
                table.sort(users)
                local line = "%s [%d]: (%s)"
                line = line:format(version.pointer, version.matrix:size(), table.concat(users, ","))
                table.insert(history[version.name], line)
            end
        end
        for name, lines in pairs(history) do
            if #lines > 0 then
                report[name].history = table.concat(lines, "\n\t")
            end
        end
        return report
    end)
end

local owner

local function request(command, ...)
    owner = owner or service.new("sharetable", main)
    return skynet.call(owner, "lua", command, ...)
end

-- What finalisers of this service read is there until they have run.
at_close(function()
    if owner then
        skynet.send(owner, "lua", "close")
    end
end)

--- name -> set of the tables that were asked for under it and not updated since
local asked = {}

local function remember(name, pointer)
    local shared = core.clone(pointer)
    local tables = asked[name] or {}
    asked[name] = tables
    tables[shared] = true
    return shared
end

local sharetable = {}

--- Shares the table that a file returns, under the file's name.
---@param filename string
---@param ... boolean|number|lightuserdata|function  what the file gets as `...`
function sharetable.loadfile(filename, ...)
    request("loadfile", filename, ...)
end

--- Shares the table that a text returns.
---@param filename string  its name
---@param source string
---@param ... boolean|number|lightuserdata|function  what the text gets as `...`
function sharetable.loadstring(filename, source, ...)
    request("loadstring", filename, source, ...)
end

--- Shares a copy of a table, of what can be in a message.
---@param filename string  its name
---@param tbl table
function sharetable.loadtable(filename, tbl)
    if type(tbl) ~= "table" then
        error("sharetable.loadtable: a table expected, got " .. type(tbl), 2)
    end
    request("loadtable", filename, skynet.pack(tbl))
end

--- The table of a name as it is now, or nil. It does not change: `update` puts newer ones in its place.
---@param filename string
---@return table|nil
function sharetable.query(filename)
    local pointer = request("query", filename)
    return pointer and remember(filename, pointer)
end

--- The tables of some names, or of all.
---@param filenamelist? string[]
---@return table<string, table>
function sharetable.queryall(filenamelist)
    local found = {}
    for name, pointer in pairs(request("queryall", filenamelist)) do
        found[name] = remember(name, pointer)
    end
    return found
end

--- Puts the newest tables in the place of those that this service has asked for before, wherever it has them: in
--- tables, variables, functions and coroutines. Tables in them are replaced by what is in the same place; what has no
--- counterpart becomes nil.
---@param ... string  names
function sharetable.update(...)
    local pairs_of_tables = {}
    for _, name in ipairs { ... } do
        local tables = asked[name]
        local newest = tables and sharetable.query(name)
        if newest then
            for old in pairs(tables) do
                if old ~= newest then
                    table.insert(pairs_of_tables, { old, newest })
                    tables[old] = nil
                end
            end
        end
    end
    if #pairs_of_tables > 0 then
        require "skynet.sharereplace"(pairs_of_tables, { asked })
    end
end

return sharetable

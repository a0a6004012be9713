--- Tables that one service writes and others read, as messages of a sproto schema. What a writer commits, readers see
--- as a whole, once they update.

local stm = require "skynet.stm"
local sprotoloader = require "sprotoloader"

--- The number, among the schemas of the node, of the one that describes shared tables.
local SCHEMA <const> = 0

local sharemap = {}

--- Makes a schema the one of all shared tables of the node.
---@param protofile string  the name of a file
function sharemap.register(protofile)
    sprotoloader.register(protofile, SCHEMA)
end

local known

local function schema()
    known = known or sprotoloader.load(SCHEMA)
    return known
end

---@class sharemap.writer
---@field __typename string
---@field __obj userdata  the writer of `skynet.stm`
---@field __data table  what `commit` will publish

--- Publishes what was written.
---@param self sharemap.writer
function sharemap:commit()
    self.__obj(schema():encode(self.__typename, self.__data))
end

--- A reference for one reader, to be sent to its service.
---@param self sharemap.writer
---@return lightuserdata
function sharemap:copy()
    return stm.copy(self.__obj)
end

--- Makes a table that others can read. Fields are read and written as a table's; it also has `commit` and `copy`.
---@param typename string  its type in the schema
---@param obj? table  the first version, which is published at once
---@return sharemap.writer
function sharemap.writer(typename, obj)
    local data = obj or {}
    local first = stm.new(schema():encode(typename, data))
    return setmetatable({
        __typename = typename,
        __data = data,
        __obj = first,
        copy = sharemap.copy,
        commit = sharemap.commit,
    }, { __index = data, __newindex = data })
end

--- Fills the reader's table with the version at hand. It stays as it was if that cannot be decoded.
local function refill(msg, sz, reader)
    local fresh = schema():decode(reader.__typename, msg, sz)
    local data = reader.__data
    for key in pairs(data) do
        data[key] = nil
    end
    for key, value in pairs(fresh) do
        data[key] = value
    end
    return data
end

---@class sharemap.reader
---@field __typename string
---@field __obj userdata  the reader of `skynet.stm`
---@field __data table  the version that it sees

--- Goes on to the version that was committed last.
---@param self sharemap.reader
---@return boolean changed, table? data
function sharemap:update()
    return self.__obj(refill, self)
end

local function refuse(reader, key)
    error(("sharemap: %s is for reading, %s cannot be set"):format(reader.__typename, tostring(key)), 2)
end

--- A table that another service writes, in the version committed last. Fields are read as a table's; it also has
--- `update`.
---@param typename string  its type in the schema
---@param stmcpy lightuserdata  what the writer's `copy` returned; for this one reader
---@return sharemap.reader
function sharemap.reader(typename, stmcpy)
    -- Not to be missed if the schema is not there: the reference is used up by the next line.
    schema()
    local data = {}
    local reader = setmetatable({
        __typename = typename,
        __data = data,
        __obj = stm.newcopy(stmcpy),
        update = sharemap.update,
    }, { __index = data, __newindex = refuse })
    reader:update()
    return reader
end

return sharemap

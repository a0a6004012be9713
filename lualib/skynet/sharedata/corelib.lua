--- Proxies for shared objects: tables whose fields are read from an object's memory, and that go on to the next object
--- by themselves when theirs has been replaced.
---
--- Each proxy of a table inside an object refers to its parent's and is remembered by it, so that one proxy that
--- notices the change moves the whole tree. It stands for its path: if the new object has no table there, it keeps
--- what it had and raises an error when it is used.

local core = require "skynet.sharedata.core"

local index, next_key, length = core.index, core.nextkey, core.len
local is_dirty, successor = core.isdirty, core.needupdate

local corelib = {}

--- For the owner of objects.
corelib.host = {}
for _, name in ipairs { "new", "delete", "getref", "incref", "decref", "markdirty" } do
    corelib.host[name] = core[name]
end

---@class sharedata.proxy
---@field __obj lightuserdata  the table of the object
---@field __gcobj userdata  keeps the object
---@field __parent sharedata.proxy|false
---@field __key any  under which key the parent has it
---@field __cache table<any, sharedata.proxy>|nil  those of tables in it, by their keys
local proxy = {}

local function path(self)
    local keys = {}
    repeat
        table.insert(keys, 1, tostring(self.__key))
        self = self.__parent
    until not self
    return table.concat(keys, ".")
end

--- Moves a proxy and those below it to a table of another object.
local function move(self, object, keeper)
    self.__obj, self.__gcobj = object, keeper
    local below = self.__cache
    if not below then
        return
    end
    for key, child in pairs(below) do
        local inner = index(object, key)
        if type(inner) == "userdata" then
            move(child, inner, keeper)
        else
            below[key] = nil
        end
    end
end

--- The table of the object that is current.
local function current(self)
    local object = self.__obj
    if not is_dirty(object) then
        return object
    end
    local newer, update = successor(self.__gcobj)
    if not newer then
        -- Nobody has told this service yet.
        return object
    end
    local root = self
    while root.__parent do
        root = root.__parent
    end
    move(root, newer, update.__gcobj)
    if self.__obj == object then
        error(("The key [%s] doesn't exist after update"):format(path(self)))
    end
    return self.__obj
end

function proxy:__index(key)
    local value = index(current(self), key)
    if type(value) ~= "userdata" then
        return value
    end
    local below = rawget(self, "__cache")
    if not below then
        below = {}
        rawset(self, "__cache", below)
    end
    local child = below[key]
    if not child then
        child = setmetatable({
            __parent = self,
            __key = key,
            __gcobj = self.__gcobj,
            __obj = value,
        }, proxy)
        below[key] = child
    end
    return child
end

function proxy:__newindex()
    error(("Error newindex, the key [%s]"):format(path(self)))
end

function proxy:__len()
    return length(current(self))
end

--- Goes through a proxy, as `next` goes through a table.
---@param obj sharedata.proxy
---@param key? any
---@return any key, any value
function corelib.next(obj, key)
    local following = next_key(current(obj), key)
    if following ~= nil then
        return following, obj[following]
    end
end

function proxy:__pairs()
    return corelib.next, self, nil
end

--- A proxy for an object, which it keeps.
---@param obj lightuserdata
---@return sharedata.proxy
function corelib.box(obj)
    return setmetatable({
        __obj = obj,
        __gcobj = core.box(obj),
        __key = "",
        __parent = false,
    }, proxy)
end

--- Tells a proxy which object replaces its own. It goes on to it when it is used.
---@param self sharedata.proxy
---@param pointer lightuserdata
function corelib.update(self, pointer)
    if not is_dirty(self.__obj) then
        error "Only dirty object can be update"
    end
    core.update(self.__gcobj, pointer, { __gcobj = core.box(pointer) })
end

--- Makes a proxy go on now, if its object has been replaced.
---@param obj sharedata.proxy
function corelib.flush(obj)
    current(obj)
end

local function clone(object)
    local copy = {}
    local key = next_key(object)
    while key ~= nil do
        local value = index(object, key)
        copy[key] = type(value) == "userdata" and clone(value) or value
        key = next_key(object, key)
    end
    return copy
end

--- A plain copy of what an object has under a path of keys; nil if it has nothing there.
---@param cobj lightuserdata
---@param ... any  the path; a value that is no table ends it
---@return any
function corelib.copy(cobj, ...)
    local found = cobj
    for _, key in ipairs { ... } do
        found = index(found, key)
        if type(found) ~= "userdata" then
            return found
        end
    end
    return clone(found)
end

return corelib

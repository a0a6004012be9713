--- Tables that all services of the node read without a copy in each of them. `sharedatad` owns the objects; here are the
--- proxies of this service, one for each name.

local skynet = require "skynet"
local corelib = require "skynet.sharedata.corelib"
local at_close = require "skynet.closing"

local owner

skynet.init(function()
    owner = skynet.uniqueservice "sharedatad"
end)

---@type table<string, sharedata.proxy>  those that somebody uses
local proxies = setmetatable({}, { __mode = "v" })
--- name -> true while a task waits for the objects that replace the name's
local followed = {}

-- Objects that are on their way here do not arrive any more.
at_close(function()
    if owner then
        skynet.send(owner, "lua", "close")
    end
end)

local function request(command, ...)
    return skynet.call(owner, "lua", command, ...)
end

--- An object that was sent here is counted as used until it has arrived.
local function arrived(object)
    skynet.send(owner, "lua", "confirm", object)
end

--- Tells a name's proxy of each object that replaces the one it had, until the name is deleted.
local function follow(name, object)
    repeat
        object = request("monitor", name, object)
        local proxy = proxies[name]
        if proxy and object ~= proxy.__obj then
            -- It fails when the name was deleted and is there again: what was shared by then stays as it was.
            if not object or not pcall(corelib.update, proxy, object) then
                proxies[name] = nil
            end
        end
        if object then
            arrived(object)
        end
    until not object
    followed[name] = nil
end

local sharedata = {}

--- What is shared under a name, for reading. It follows updates by itself; tables in it that are kept across an update
--- that leaves them out raise an error.
---@param name string
---@return table
function sharedata.query(name)
    local proxy = proxies[name]
    if proxy then
        return proxy
    end
    local object = request("query", name)
    -- Another task may have asked meanwhile. Its proxy is told of what is newer, as this one would be.
    proxy = proxies[name]
    if not proxy then
        proxy = corelib.box(object)
        proxies[name] = proxy
    end
    if not followed[name] then
        followed[name] = true
        skynet.fork(follow, name, object)
    end
    arrived(object)
    return proxy
end

--- Shares a table under a new name: a table, the source of a program, or "@" and the name of its file. A program's
--- table is what it returns, or else its globals.
---@param name string
---@param v? table|string
---@param ... any  the program's arguments
function sharedata.new(name, v, ...)
    request("new", name, v, ...)
end

--- Replaces what is shared under a name, or shares it under a new one.
---@param name string
---@param v? table|string  as in `new`
---@param ... any
function sharedata.update(name, v, ...)
    request("update", name, v, ...)
end

--- Ends a name. Those who read what was shared keep it.
---@param name string
function sharedata.delete(name)
    request("delete", name)
end

--- Makes all proxies of this service go on to what is current, and gives up what they had.
function sharedata.flush()
    for _, proxy in pairs(proxies) do
        corelib.flush(proxy)
    end
    collectgarbage()
end

--- A plain copy of what is shared under a name, or of what it has under a path of keys.
---@param name string
---@param ... any  the path
---@return any
function sharedata.deepcopy(name, ...)
    local proxy = proxies[name]
    if proxy then
        corelib.flush(proxy)
        return corelib.copy(proxy.__obj, ...)
    end
    local object = request("query", name)
    local copied, result = pcall(corelib.copy, object, ...)
    arrived(object)
    if not copied then
        error(result, 0)
    end
    return result
end

return sharedata

--- A snax service: runs the methods of a snax file, which its argument names.
---
--- The messages are those of `skynet.snax`: a method's number and its arguments. `init` comes first, and once; nothing
--- comes after `exit`.

local skynet = require "skynet"
local snax = require "skynet.snax"
local profile = require "skynet.profile"
local read_interface = require "snax.interface"

local name = tostring((...))
local loader = skynet.getenv "snax_loader"
local methods, pattern = read_interface(name, _ENV, loader and assert(dofile(loader)))

-- A service has a directory of its name beside its file, where its own modules are.
SERVICE_NAME = name
SERVICE_PATH = (pattern:match "^[^?]*") .. name .. "/"
package.path = SERVICE_PATH .. "?.lua;" .. package.path

--- name -> how often the methods of that name have run, and their CPU time in seconds
---@type table<string, { count: integer, time: number }>
local statistics = {}

--- From the end of `init` to that of `exit`.
local running = false

local function account(method, seconds)
    local entry = statistics[method]
    if not entry then
        entry = { count = 0, time = 0 }
        statistics[method] = entry
    end
    entry.count = entry.count + 1
    entry.time = entry.time + seconds
end

local function answer(func, ...)
    skynet.retpack(func(...))
end

--- Runs a method of the file.
local function run(method, ...)
    local func = method[4]
    local ok, reason
    profile.start()
    if method[2] == "response" then
        ok, reason = xpcall(answer, debug.traceback, func, ...)
    else
        ok, reason = xpcall(func, debug.traceback, ...)
    end
    account(method[3], profile.stop())
    if not ok then
        error(reason, 0)
    end
end

--- The service's life. The function is the file's, which need not have one.
---@type table<string, fun(func: function|nil, ...: any)>
local life = {}

function life.init(func, ...)
    assert(not running, "Already init")
    if func then
        func(...)
    end
    running = true
    skynet.info_func(function()
        return statistics
    end)
    skynet.ret()
end

function life.exit(func, ...)
    assert(running, "Never init")
    if func then
        func(...)
    end
    skynet.ret()
    running = false
    skynet.exit()
end

function life.hotfix(_, ...)
    skynet.retpack(require "snax.hotfix"(methods, ...))
end

function life.profile()
    skynet.retpack(statistics)
end

local function dispatch(_, _, id, ...)
    local method = methods[id]
    if not method then
        error(("snax service %s has no method %s"):format(name, tostring(id)))
    elseif method[2] == "system" then
        life[method[3]](method[4], ...)
    else
        assert(running, "Init first")
        run(method, ...)
    end
end

function snax.enablecluster()
    skynet.dispatch("lua", dispatch)
end

skynet.start(function()
    skynet.dispatch("snax", dispatch)
end)

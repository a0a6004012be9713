--- A service that takes commands: GET key, SET key value.
---
--- Its argument chooses how long it takes: none: no time at all; "slow": a GET blocks for ten seconds, and other
--- commands run meanwhile; "queue": the same, but each command waits for the one before it.

local skynet = require "skynet.manager"
local queue = require "skynet.queue"

local mode = ...
local TEN_SECONDS <const> = 1000 // (tonumber(skynet.getenv "tutorial_hurry") or 1)

local data = {}
local command = {}

function command.GET(key)
    if mode then
        skynet.sleep(TEN_SECONDS)
        skynet.error("GET key", key, "time", skynet.now())
    end
    return data[key]
end

function command.SET(key, value)
    if mode then
        skynet.error("SET key", key, "value", value, " time", skynet.now())
    end
    data[key] = value
end

local function at_once(func, ...)
    return func(...)
end

local run = mode == "queue" and queue() or at_once

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        name = name:upper()
        skynet.error("cmd", name, " :param", ...)
        local func = command[name]
        if func then
            skynet.retpack(run(func, ...))
        else
            skynet.retpack "cmd error"
            skynet.error("unknown command " .. name)
        end
    end)
    skynet.register ".mydb"
end)

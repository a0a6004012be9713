--- As 22-mydb, but another task answers, two seconds later: so it needs skynet.response. With the argument "retpack" it
--- shows what happens without: the other task has no request to answer.

local skynet = require "skynet.manager"

local mode = ...
local TWO_SECONDS <const> = 200 // (tonumber(skynet.getenv "tutorial_hurry") or 1)

local data = {}
local command = {}

function command.GET(key)
    return data[key]
end

function command.SET(key, value)
    data[key] = value
    return key .. ":" .. value
end

local function answer_later(response, name, ...)
    skynet.sleep(TWO_SECONDS)
    name = name:upper()
    skynet.error("fun", name)
    local func = command[name]
    if not func then
        skynet.error("Unknown command " .. name)
        response(false)
    elseif mode == "retpack" then
        skynet.retpack(func(...))
    else
        response(true, func(...))
    end
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, ...)
        skynet.error("lua dispatch", coroutine.running())
        skynet.fork(answer_later, skynet.response(skynet.pack), ...)
    end)
    skynet.register ".mydb"
end)

--- What a service gives back when it ends, it gives back after all its finalisers have run, whenever their objects were
--- made: they may still use it.

local skynet = require "skynet.manager"
local print = require "print_line"

local role, parent = ...

if role == "ends" then
    local function tell(text)
        skynet.send(tonumber(parent), "lua", text)
    end
    local function finalised(text)
        return setmetatable({}, {
            __gc = function()
                tell(text)
            end,
        })
    end
    local early = finalised "early"
    local at_close = require "skynet.closing"
    at_close(function()
        tell "given back first"
    end)
    at_close(function()
        error "nobody hears of this"
    end)
    at_close(function()
        tell "given back last"
    end)
    local late = finalised "late"
    skynet.start(function()
        skynet.dispatch("lua", function()
            assert(early and late, "kept until the end")
            skynet.exit()
        end)
    end)
    return
end

skynet.start(function()
    local told, waiting = {}, coroutine.running()
    skynet.dispatch("lua", function(_, _, text)
        table.insert(told, text)
        if #told == 4 then
            skynet.wakeup(waiting)
        end
    end)
    local service = skynet.newservice("closing", "ends", skynet.self())
    skynet.send(service, "lua")
    skynet.wait(waiting)
    -- What was asked for later depends on what was there.
    local order = table.concat(told, ", ")
    assert(order == "late, early, given back last, given back first", order)
    print "passed"
    skynet.abort()
end)

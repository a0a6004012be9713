--- A service that counts.

local skynet = require "skynet.manager"

local count = 0
local command = {}

function command.add(n)
    local before = count
    count = before + n
    skynet.sleep(1)
    return before, count
end

function command.fail()
    error "on purpose"
end

function command.spin()
    skynet.error "spinning"
    while true do
        count = count + 1
    end
end

function command.sort(list)
    table.sort(list, function(a, b)
        return a < b
    end)
    return table.concat(list)
end

skynet.start(function()
    skynet.register ".counter"
    skynet.info_func(function(unit)
        return { count = count, unit = unit or "none" }
    end)
    skynet.dispatch("lua", function(_, _, name, ...)
        local run = command[name]
        skynet.retpack(run(...))
    end)
    skynet.fork(function()
        skynet.wait "for ever"
    end)
end)

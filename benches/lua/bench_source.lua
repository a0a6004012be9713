local skynet = require "skynet"

local window <const> = 96

local sink

local function burst(n)
    for i = 1, n do
        skynet.send(sink, "lua", "hit", i, 12.5)
    end
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, argument)
        if name == "start" then
            sink = argument
            burst(window)
        else
            burst(argument)
        end
    end)
end)

--- Sends one command to the launcher, prints what it answers, and ends: `dbg LIST`, for one.

local skynet = require "skynet"
local format = require "skynet.consoleformat"

local words = table.pack(...)

skynet.start(function()
    local result = skynet.call(".launcher", "lua", table.unpack(words, 1, words.n))
    if result then
        print(table.concat(format(result), "\n"))
    end
    skynet.exit()
end)

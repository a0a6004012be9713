--- Prints what each service has allocated outside Lua, writes the allocator's statistics to the standard error, and ends.

local skynet = require "skynet"
local memory = require "skynet.memory"

memory.dumpinfo()
local lines = {}
for handle, bytes in pairs(memory.info()) do
    lines[#lines + 1] = ("%s %gK"):format(skynet.address(handle), bytes / 1024)
end
lines[#lines + 1] = ("Total memory:\t%d\nTotal block:\t%d\n"):format(memory.total(), memory.block())
-- In one piece: the logger writes to the same place.
io.write(table.concat(lines, "\n"))
io.stdout:flush()

skynet.start(function()
    skynet.exit()
end)

--- Prints what each service has allocated outside Lua, writes the allocator's statistics to the standard error, and ends.

local skynet = require "skynet"
local memory = require "skynet.memory"

memory.dumpinfo()
for handle, bytes in pairs(memory.info()) do
    print(("%s %gK"):format(skynet.address(handle), bytes / 1024))
end
print("Total memory:", memory.total())
print("Total block:", memory.block())

skynet.start(function()
    skynet.exit()
end)

--- The nodes' addresses, which the config has.

local skynet = require "skynet"

local nodes = {}
for _, name in ipairs { "one", "two", "elsewhere" } do
    nodes[name] = skynet.getenv("at_" .. name)
end

return nodes

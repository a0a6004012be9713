--- Names and links between the nodes of one harbor network. The service .cslave does the work.

local skynet = require "skynet"

local SLAVE <const> = ".cslave"

local harbor = {}

--- Makes a name known to all nodes.
---@param name string  at most 15 bytes
---@param handle? integer  this service when left out
function harbor.globalname(name, handle)
    skynet.send(SLAVE, "lua", "REGISTER", name, handle or skynet.self())
end

--- The service behind a global name; waits until there is one.
---@param name string
---@return integer handle
function harbor.queryname(name)
    return skynet.call(SLAVE, "lua", "QUERYNAME", name)
end

--- Returns when the link to another node breaks.
---@param id integer  its harbor
function harbor.link(id)
    skynet.call(SLAVE, "lua", "LINK", id)
end

--- Returns when another node is linked.
---@param id integer
function harbor.connect(id)
    skynet.call(SLAVE, "lua", "CONNECT", id)
end

--- Returns when the link to the master breaks.
function harbor.linkmaster()
    skynet.call(SLAVE, "lua", "LINKMASTER")
end

return harbor

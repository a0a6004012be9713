--- Global names: before and after they are registered, long ones, and ones that are taken.

local skynet = require "skynet.manager"
local harbor = require "skynet.harbor"
local report = require "report"

local FIFTEEN <const> = ("f"):rep(15)
local SIXTEEN <const> = ("s"):rep(16)

---@param name string
---@return string? the harbor that it is in
local function where(name)
    local address = harbor.queryname(name)
    return address and ("harbor %d"):format(address >> 24)
end

local function one()
    local arrive, wait = report.gather(4)
    local function fork(name, f, ...)
        local arguments = table.pack(...)
        skynet.fork(function()
            report.call(name, f, table.unpack(arguments, 1, arguments.n))
            arrive()
        end)
    end
    -- Nobody has these names yet.
    skynet.send("PEER_two", "lua", "note", "sent before")
    skynet.send("PEER_two", "lua", "note", "there was a name", true)
    fork("called before", skynet.call, "PEER_two", "lua", "notes")
    fork("queried before", where, "PEER_two")
    fork("queried before, too", where, "PEER_two")
    skynet.send("HERE", "lua", "note", "to a name of this harbor", true)
    fork("called here before", skynet.call, "HERE", "lua", "notes")
    skynet.error "asked"
    local here = skynet.newservice "peer"
    skynet.name("HERE", here)
    wait()

    report.call("queried after", where, "PEER_two")
    report.call("called after", skynet.call, "PEER_two", "lua", "echo", "hello")
    report.call("queried here", where, "HERE")
    report.call("called here", skynet.call, "HERE", "lua", "echo", "hello")
    skynet.name(".here", here)
    report.line("a local name", harbor.queryname ".here" == here)
    report.line("no such local name", harbor.queryname ".nobody")

    skynet.call("PEER_two", "lua", "name", FIFTEEN)
    report.call("fifteen bytes", where, FIFTEEN)
    report.call("fifteen bytes called", skynet.call, FIFTEEN, "lua", "echo", "hello")
    report.call("sixteen bytes", skynet.name, SIXTEEN, here)
    harbor.globalname(SIXTEEN, here)
    report.call("sixteen bytes in spite", where, SIXTEEN)
    report.soon("sixteen bytes called", skynet.call, SIXTEEN, "lua", "echo", "hello")
    report.call("a number", skynet.name, "1234", here)

    -- Taken by the same harbor, and by the other one.
    skynet.name("HERE", skynet.self())
    report.call("taken here", skynet.call, "HERE", "lua", "echo", "hello")
    skynet.call("PEER_two", "lua", "name", "HERE")
    report.call("taken there", where, "HERE")
    report.soon("a name of nobody", harbor.queryname, "NOBODY")
    skynet.error "one is through"
end

skynet.start(function()
    if skynet.getenv "role" == "one" then
        skynet.fork(one)
    else
        skynet.name("PEER_two", skynet.newservice "peer")
        report.line("seen from two", where "HERE")
    end
end)

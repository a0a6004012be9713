--- A harbor that leaves: who hears of it, and that its number does not come back. The last one to go is the master.

local skynet = require "skynet.manager"
local harbor = require "skynet.harbor"
local report = require "report"

local id = tonumber(skynet.getenv "harbor")

local function one()
    harbor.connect(2)
    report.line("two is there", harbor.queryname "PEER_2" >> 24)
    report.call("link to nobody", harbor.link, 9)
    report.call("called", skynet.call, "PEER_2", "lua", "echo", "hello")
    skynet.error "now two may go"
    harbor.link(2)
    skynet.error "two has gone"
    report.call("link to one that has gone", harbor.link, 2)
    report.line("its name is known", harbor.queryname "PEER_2" >> 24)
    report.soon("connect to one that has gone", harbor.connect, 2)
    skynet.error "two may try again"
    harbor.connect(3)
    report.call("the third", skynet.call, "PEER_3", "lua", "echo", "hello")
    skynet.error "now one may go"
end

local function three()
    report.call("three to one", skynet.call, "PEER_1", "lua", "echo", "hello")
    skynet.fork(function()
        harbor.link(1)
        skynet.error "one has gone"
    end)
    skynet.fork(function()
        harbor.linkmaster()
        skynet.error "the master has gone"
    end)
    report.line("names of the one that has gone", harbor.queryname "PEER_2" >> 24)
    skynet.error "three is there"
end

skynet.start(function()
    skynet.name("PEER_" .. id, skynet.newservice "peer")
    if id == 1 then
        skynet.fork(one)
    elseif id == 3 then
        skynet.fork(three)
    end
end)

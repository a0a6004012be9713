--- A node that ends while it is called, and comes back.

local skynet = require "skynet.manager"
local cluster = require "skynet.cluster"
local nodes = require "cluster_nodes"
local report = require "report"

local role = skynet.getenv "role"

local function one()
    report.call("called", cluster.call, "two", ".test", "echo", "hello")
    for i = 1, 3 do
        skynet.fork(function()
            report.call("on its way", cluster.call, "two", ".test", "sleep", 100000)
            if i == 3 then
                skynet.error "two has gone"
                -- Its listening socket, too.
                skynet.sleep(20)
                report.call("called when it has gone", cluster.call, "two", ".test", "echo", "hello")
                cluster.send("two", ".test", "note", "to nobody")
                skynet.error "two may come back"
            end
        end)
    end
    report.call("answered before", cluster.call, "two", ".test", "echo", "hello")
    skynet.error "now two may go"
end

skynet.start(function()
    cluster.reload { one = nodes.one, two = nodes.two }
    skynet.name(".test", skynet.newservice "peer")
    cluster.open(role == "one" and "one" or "two")
    skynet.error "open"
    skynet.dispatch("lua", function()
        report.call("called when it is back", cluster.call, "two", ".test", "echo", "hello")
        skynet.error "one is through"
        skynet.ret()
    end)
    if role == "one" then
        cluster.register("test", skynet.self())
        skynet.fork(one)
    elseif role == "two again" then
        cluster.send("one", "@test")
    end
end)

--- A traced call through two nodes, and back to the first.

local skynet = require "skynet.manager"
local cluster = require "skynet.cluster"
local nodes = require "cluster_nodes"
local report = require "report"

local role = skynet.getenv "role"

skynet.start(function()
    cluster.reload { one = nodes.one, two = nodes.two }
    skynet.name(".test", skynet.self())
    skynet.dispatch("lua", function(_, _, depth, text)
        if depth > 0 then
            skynet.retpack(cluster.call(role == "one" and "two" or "one", ".test", depth - 1, text))
        else
            skynet.retpack(text)
        end
    end)
    cluster.open(role)
    skynet.error "open"
    if role == "one" then
        skynet.fork(function()
            report.call("not traced", cluster.call, "two", ".test", 0, "hello")
            skynet.trace "start"
            report.call("traced", cluster.call, "two", ".test", 0, "hello")
            report.call("traced twice", cluster.call, "two", ".test", 1, "hello")
            report.call("traced large", cluster.call, "two", ".test", 0, report.blob(100000))
            skynet.error "one is through"
        end)
    end
end)

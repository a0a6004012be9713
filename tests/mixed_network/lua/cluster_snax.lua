--- snax services of another node.

local skynet = require "skynet.manager"
local cluster = require "skynet.cluster"
local snax = require "skynet.snax"
local nodes = require "cluster_nodes"
local report = require "report"

local role = skynet.getenv "role"

local function one()
    local counter = cluster.snax("two", "counter")
    report.call("add", counter.req.add, 5)
    counter.post.plus(7)
    -- Its parts may be sent after the next request.
    counter.post.plus(0, report.blob(100000))
    report.call("add after post", counter.req.add, 1)
    report.call("fail", counter.req.fail)
    report.call("no such method", function()
        return counter.req.dance()
    end)
    report.call("large", counter.req.blob, 1 << 20)
    local address = cluster.query("two", "second")
    local second = cluster.snax("two", "counter", address)
    report.call("second", second.req.add, 100)
    local third = cluster.snax("two", "counter", "@second")
    report.call("second by name", third.req.add, 100)
    report.soon("no such snax service", cluster.snax, "two", "nothing")
    skynet.error "one is through"
end

skynet.start(function()
    cluster.reload { one = nodes.one, two = nodes.two }
    if role == "two" then
        snax.uniqueservice("counter", "unique")
        cluster.register("second", snax.newservice("counter", "second").handle)
    end
    cluster.open(role)
    skynet.error "open"
    if role == "one" then
        skynet.fork(one)
    end
end)

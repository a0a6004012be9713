--- Calls between the services of two nodes of a cluster, both ways: by name, by address, and through a proxy.

local skynet = require "skynet.manager"
local cluster = require "skynet.cluster"
local exchanges = require "exchanges"
local nodes = require "cluster_nodes"
local report = require "report"

local role = skynet.getenv "role"
local other = role == "one" and "two" or "one"

---@param name string
---@param call fun(...): ...
---@param send fun(...)
local function all(name, call, send)
    exchanges.values(name, call, send)
    exchanges.at_once(name, call)
    exchanges.sizes(name, call, send)
    exchanges.failures(name, call, function(...)
        return cluster.call(other, ...)
    end)
end

local function through(address)
    return function(...)
        return cluster.call(other, address, ...)
    end, function(...)
        cluster.send(other, address, ...)
    end
end

local function proxied(proxy)
    return function(...)
        return skynet.call(proxy, "lua", ...)
    end, function(...)
        skynet.send(proxy, "lua", ...)
    end
end

local function test()
    -- These wait for the first connection.
    cluster.send(other, ".peer", "note", "first")
    cluster.send(other, ".peer", "note", "second", true)
    report.call("sent at first", cluster.call, other, ".peer", "notes")
    all("@name", through "@peer")
    all(".name", through ".peer")
    local address = cluster.query(other, "peer")
    report.line("query", math.type(address))
    report.call("by address", cluster.call, other, address, "echo", "hello")
    report.call("no such @name", cluster.call, other, "@nobody", "echo")
    report.call("no such .name", cluster.call, other, ".nobody", "echo")
    report.call("no such query", cluster.query, other, "nobody")
    cluster.send(other, "@nobody", "echo")
    cluster.send(other, ".nobody", "echo")
    cluster.send(other, ".peer", "fail", "that was sent")
    report.call("after sends to nobody", cluster.call, other, "@peer", "echo", "hello")

    all("proxy of @name", proxied(cluster.proxy(other, "@peer")))
    report.line("one proxy for one name", cluster.proxy(other .. "@peer") == cluster.proxy(other, "@peer"))
    report.call("proxy of .name", proxied(cluster.proxy(other .. ".peer")), "echo", "hello")
    report.call("proxy of address", proxied(cluster.proxy(other, address)), "echo", "hello")
    report.call("proxy of nobody", proxied(cluster.proxy(other, "@nobody")), "echo", "hello")
    report.call("bad proxy", cluster.proxy, "nothing")
    report.line("sender", math.type(cluster.get_sender(other)))
end

skynet.start(function()
    cluster.reload { one = nodes.one, two = nodes.two }
    local peer = skynet.newservice "peer"
    skynet.name(".peer", peer)
    cluster.register("peer", peer)
    skynet.name(".test", skynet.self())
    skynet.dispatch("lua", function()
        test()
        skynet.error "done"
        skynet.ret()
    end)
    report.line("open", cluster.open(role))
    skynet.error "open"
    if role == "one" then
        skynet.fork(function()
            skynet.call(skynet.self(), "lua")
            cluster.call("two", ".test")
            skynet.error "both done"
        end)
    end
end)

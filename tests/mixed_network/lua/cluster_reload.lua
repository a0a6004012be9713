--- A table of nodes that changes: other addresses, unknown nodes, nodes turned off.

local skynet = require "skynet.manager"
local cluster = require "skynet.cluster"
local nodes = require "cluster_nodes"
local report = require "report"

local role = skynet.getenv "role"

local function who(node)
    return cluster.call(node, ".test")
end

local function one()
    -- A node that is not in the table is waited for.
    local arrive, wait = report.gather(2)
    for _ = 1, 2 do
        skynet.fork(function()
            report.call("unknown at first", who, "two")
            arrive()
        end)
    end
    skynet.sleep(20)
    cluster.send("two", ".test", "sent before")
    cluster.reload { two = nodes.two }
    wait()
    report.call("two", who, "two")
    -- The same address again, and another one.
    cluster.reload { two = nodes.two }
    report.call("two again", who, "two")
    cluster.reload { two = nodes.elsewhere }
    skynet.sleep(50)
    report.call("elsewhere", who, "two")
    cluster.reload { two = nodes.two }
    skynet.sleep(50)
    report.call("back", who, "two")
    -- Turned off and on.
    cluster.reload { two = false }
    skynet.sleep(50)
    report.call("off", who, "two")
    cluster.reload { two = nodes.two }
    skynet.sleep(50)
    report.call("on", who, "two")
    -- No waiting.
    cluster.reload { __nowaiting = true }
    report.call("no waiting", who, "unknown")
    cluster.send("unknown", ".test", "to nobody")
    report.call("still two", who, "two")
    -- Nobody listens there.
    cluster.reload { nobody = skynet.getenv "at_nobody" }
    report.call("nobody there", who, "nobody")
    report.call("bad address", cluster.reload, { bad = 7 })
    report.call("open what is not in the table", cluster.open, "unknown")
    skynet.error "one is through"
end

skynet.start(function()
    skynet.name(".test", skynet.self())
    skynet.dispatch("lua", function(session, _, ...)
        if session == 0 then
            report.line("told", ...)
        else
            skynet.retpack(role)
        end
    end)
    if role == "one" then
        skynet.fork(one)
    else
        cluster.reload { [role] = nodes[role] }
        cluster.open(role)
        skynet.error "open"
    end
end)

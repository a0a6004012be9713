--- Registered names of a cluster's node, while they change.

local skynet = require "skynet.manager"
local cluster = require "skynet.cluster"
local nodes = require "cluster_nodes"
local report = require "report"

local role = skynet.getenv "role"
local peers = {}
local answers = {}

function answers.register(name, i)
    return cluster.register(name, peers[i])
end

function answers.unregister(name)
    return cluster.unregister(name)
end

---@param i integer
function answers.which(i)
    return peers[i]
end

local function one()
    local function ask(...)
        return cluster.call("two", ".test", ...)
    end
    ---@param name string
    local function look(title, name)
        local ok, address = pcall(cluster.query, "two", name)
        report.line(title .. " query", ok, ok and (address == ask("which", 1) and "first" or "second") or address)
        report.call(title .. " call", cluster.call, "two", "@" .. name, "echo", "hello")
    end
    look("before", "name")
    report.call("register", ask, "register", "name", 1)
    look("after", "name")
    report.call("register twice", ask, "register", "name", 2)
    report.call("another name for it", ask, "register", "other", 1)
    look("old name", "name")
    look("new name", "other")
    report.call("unregister", ask, "unregister", "other")
    look("unregistered", "other")
    report.call("unregister what is not there", ask, "unregister", "other")
    report.call("registered for another", ask, "register", "other", 2)
    look("for another", "other")
    report.call("without an address", ask, "register", "self")
    report.call("itself", cluster.call, "two", "@self", "which", 9)
    report.call("a name that is none", cluster.register, 7)
    report.call("an address that is none", cluster.register, "seven", "seven")
    report.call("names are a node's own", cluster.call, "one", "@other", "echo")
    skynet.error "one is through"
end

skynet.start(function()
    cluster.reload { one = nodes.one, two = nodes.two }
    for i = 1, 2 do
        peers[i] = skynet.newservice "peer"
    end
    skynet.name(".test", skynet.self())
    skynet.dispatch("lua", function(_, _, name, ...)
        skynet.retpack(answers[name](...))
    end)
    cluster.open(role)
    skynet.error "open"
    if role == "one" then
        skynet.fork(one)
    end
end)

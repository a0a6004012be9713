--- skynet.mqueue and skynet.datacenter.

local skynet = require "skynet"
local mqueue = require "skynet.mqueue"
local datacenter = require "skynet.datacenter"
local check = require "socket_check"

local equal, fails, eventually = check.equal, check.fails, check.eventually

if (...) == "server" then
    local handled = {}
    skynet.start(function()
        mqueue.register(function(what, ...)
            if what == "slow" then
                -- What comes meanwhile waits.
                eventually("others wait", function()
                    return mqueue.size() >= 3
                end)
            elseif what == "fail" then
                error("it failed", 0)
            elseif what == "unpackable" then
                return print
            elseif what == "list" then
                return table.concat(handled, ","), ...
            end
            table.insert(handled, what)
            return select("#", ...) > 0 and ... or nil
        end)
        fails("once", mqueue.register, print)
    end)
    return
end

check.main {
    {
        "requests one after another",
        function()
            local server = skynet.newservice("queues", "server")
            mqueue.send(server, "slow")
            mqueue.send(server, "a")
            mqueue.send(server, "fail")
            mqueue.send(server, "b", "returned")
            local list, nothing, last = mqueue.call(server, "list", nil, 3)
            equal(list, "slow,a,b", "order")
            equal(nothing, nil, "a nil among others")
            equal(last, 3, "the value behind it")
            fails("it failed", mqueue.call, server, "fail")
            fails("Unsupport type function", mqueue.call, server, "unpackable")
            equal(mqueue.call(server, "c", "value"), "value", "a result")
            equal(mqueue.size(), 0, "requests here")
            skynet.kill(server)
            fails("invalid address", mqueue.call, server, "list")
        end,
    },
    {
        "values that are shared",
        function()
            equal(datacenter.set("a", "b", 1), nil, "the value before")
            equal(datacenter.set("a", "b", 2), 1, "the value before")
            equal(datacenter.get("a", "b"), 2, "value")
            equal(datacenter.get("a").b, 2, "a branch")
            equal(datacenter.get("a", "x", "y"), nil, "below nothing")
            equal(datacenter.wait("a", "b"), 2, "there already")
            equal(datacenter.set("a", "b", nil), 2, "the value before")
            equal(datacenter.get("a", "b"), nil, "removed")
            datacenter.set("alone", 3)
            equal(datacenter.set "alone", 3, "a key without a value removes")
            equal(datacenter.get "alone", nil, "removed")
            fails("call failed", datacenter.set)
        end,
    },
    {
        "waiting for a value",
        function()
            local found = {}
            for i = 1, 2 do
                skynet.fork(function()
                    found[i] = datacenter.wait("w", "x")
                end)
            end
            local branch
            skynet.fork(function()
                skynet.yield()
                branch = table.pack(pcall(datacenter.wait, "w"))
            end)
            eventually("a branch cannot be waited for", function()
                return branch
            end)
            equal(branch[1], false, "waiting for a branch")
            datacenter.set("w", "x", nil)
            datacenter.set("w", "x", "come")
            eventually("both have it", function()
                return found[1] == "come" and found[2] == "come"
            end)
            -- Who waits for what becomes a branch gets an error.
            skynet.fork(function()
                branch = table.pack(pcall(datacenter.wait, "v"))
            end)
            branch = nil
            skynet.yield()
            datacenter.set("v", "below", 1)
            eventually("it has become a branch", function()
                return branch
            end)
            equal(branch[1], false, "waiting for what became a branch")
        end,
    },
}

-- One service of a cluster that keeps the other node busy. What it has done is
-- counted when the other node has answered.

local skynet = require "skynet"
local cluster = require "skynet.cluster"

local MEBIBYTE <const> = ("x"):rep(1 << 20)
local BURST <const> = 64

local count = 0
local round = {}

function round.call()
    count = cluster.call("there", "@far", "add", count)
end

---The call at the end is answered when the sends before it have been handled, and
---so bounds what is under way.
function round.send()
    for i = 1, BURST do
        cluster.send("there", "@far", "hit", i, 12.5)
    end
    cluster.call("there", "@far", "hits")
    count = count + BURST
end

function round.request()
    assert(cluster.call("there", "@far", "size", MEBIBYTE) == #MEBIBYTE)
    count = count + 1
end

function round.response()
    assert(#cluster.call("there", "@far", "text") == #MEBIBYTE)
    count = count + 1
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, what)
        if name == "count" then
            skynet.retpack(count, skynet.hpc())
            return
        end
        local body = round[what]
        while true do
            body()
        end
    end)
end)

--- A node of a cluster that answers with its port, and calls another one again and again: `peer`, if the config has it.

local skynet = require "skynet"
local cluster = require "skynet.cluster"

local own_name = skynet.getenv "cluster_etcd_name"
local port = tonumber(skynet.getenv "port")

-- Says who answers when that changes, and when there have been ten more answers.
local function call_again_and_again(peer)
    local before, count = nil, 0
    while true do
        local ok, number, from = pcall(cluster.call, peer, "@echo", count)
        local who = ok and "port " .. from or "nobody"
        if who ~= before then
            skynet.error("answered by", who)
            before = who
        end
        if ok then
            assert(number == count)
            count = count + 1
            if count % 10 == 0 then
                skynet.error "ten answers"
            end
        end
        skynet.sleep(5)
    end
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, number)
        skynet.retpack(number, port)
    end)
    cluster.register("echo", skynet.self())
    -- What etcd is to know is known here at once.
    cluster.open(own_name)
    local peer = skynet.getenv "peer"
    if peer then
        skynet.fork(call_again_and_again, peer)
    end
    skynet.error "started"
end)

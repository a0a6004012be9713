-- Two nodes of a cluster: bench_services services ask the other node's service,
-- each without pause. bench_what says what they do.

local skynet = require "skynet"
local cluster = require "skynet.cluster"
local bench = require "bench"

bench.main(function()
    cluster.reload { there = skynet.getenv "bench_address" }
    local callers = {}
    for i = 1, bench.setting "bench_services" do
        callers[i] = skynet.newservice "bench_cluster_caller"
        skynet.send(callers[i], "lua", "start", skynet.getenv "bench_what")
    end
    bench.result("rate", bench.window(callers, bench.setting "bench_centiseconds"))
end)

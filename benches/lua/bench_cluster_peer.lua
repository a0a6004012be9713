-- The second node of the cluster benchmarks: listens, and has one service that answers.

local skynet = require "skynet"
local cluster = require "skynet.cluster"
local bench = require "bench"

bench.main(function()
    cluster.register("far", skynet.newservice "bench_far")
    cluster.reload { there = skynet.getenv "bench_address" }
    cluster.open "there"
    bench.peer_ready()
end)

-- The second node of the harbor benchmarks: one service with a global name.

local skynet = require "skynet"
local harbor = require "skynet.harbor"
local bench = require "bench"

bench.main(function()
    harbor.globalname("FAR", skynet.newservice "bench_answerer")
    bench.peer_ready()
end)

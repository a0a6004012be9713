-- Launches of a small service, one after the other, and the resident memory
-- that each of them adds.

local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
    local launches = bench.setting "bench_services"
    -- The first ones load what all of them share.
    for _ = 1, 20 do
        skynet.newservice "bench_small"
    end
    skynet.sleep(30)
    local before = bench.resident()
    local since = skynet.hpc()
    for _ = 1, launches do
        skynet.newservice "bench_small"
    end
    local seconds = (skynet.hpc() - since) / 1e9
    skynet.sleep(50)
    bench.result("rate", launches / seconds)
    bench.result("memory", (bench.resident() - before) / launches)
end)

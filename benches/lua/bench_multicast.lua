-- One publisher, and bench_services subscribers on its node.

local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
    local publisher = skynet.newservice "bench_publisher"
    local channel = skynet.call(publisher, "lua", "channel")
    local subscribers = bench.setting "bench_services"
    for _ = 1, subscribers do
        skynet.call(skynet.newservice "bench_subscriber", "lua", channel, publisher)
    end
    skynet.send(publisher, "lua", "start", subscribers)
    bench.result("rate", bench.window({ publisher }, bench.setting "bench_centiseconds"))
end)

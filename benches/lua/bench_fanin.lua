-- skynet.send from bench_services senders to one receiver. A sender has at most
-- `window` messages unhandled: the receiver gives credit back in batches.

local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
    local sink = skynet.newservice "bench_sink"
    for _ = 1, bench.setting "bench_services" do
        skynet.send(skynet.newservice "bench_source", "lua", "start", sink)
    end
    bench.result("rate", bench.window({ sink }, bench.setting "bench_centiseconds"))
end)

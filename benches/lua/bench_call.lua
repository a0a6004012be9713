-- Round trips of skynet.call: bench_services pairs, each of a caller that calls
-- without pause and an answerer.

local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
    local callers = {}
    for i = 1, bench.setting "bench_services" do
        local answerer = skynet.newservice "bench_answerer"
        callers[i] = skynet.newservice "bench_caller"
        skynet.send(callers[i], "lua", "start", answerer)
    end
    bench.result("rate", bench.window(callers, bench.setting "bench_centiseconds"))
end)

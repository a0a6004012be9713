-- Two nodes of a harbor network: bench_services services call the other node's
-- service by its handle or by its global name.

local skynet = require "skynet"
local harbor = require "skynet.harbor"
local bench = require "bench"

bench.main(function()
    local answerer = harbor.queryname "FAR"
    if skynet.getenv "bench_what" == "name" then
        answerer = "FAR"
    end
    local callers = {}
    for i = 1, bench.setting "bench_services" do
        callers[i] = skynet.newservice "bench_caller"
        skynet.send(callers[i], "lua", "start", answerer)
    end
    bench.result("rate", bench.window(callers, bench.setting "bench_centiseconds"))
end)

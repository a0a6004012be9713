-- Round trips on loopback: bench_services services, each with one connection to
-- one server, and bench_payload bytes under way in each.

local skynet = require "skynet"
local bench = require "bench"

bench.main(function()
    local server = skynet.newservice "bench_echo_server"
    local port = skynet.call(server, "lua", "listen")
    local clients = {}
    for i = 1, bench.setting "bench_services" do
        clients[i] = skynet.newservice "bench_echo_client"
        skynet.call(clients[i], "lua", "start", port, bench.setting "bench_payload")
    end
    bench.result("rate", bench.window(clients, bench.setting "bench_centiseconds"))
end)

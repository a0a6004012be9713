-- A web server on this lualib's http.httpd, whose connections stay open. The clients
-- are another process; bench_services services serve them.

local skynet = require "skynet"
local socket = require "skynet.socket"
local bench = require "bench"

local REQUEST <const> = "GET /bench?unit=1&x=2 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    .. "User-Agent: bench\r\nAccept: */*\r\n\r\n"

bench.main(function()
    local services = {}
    for i = 1, bench.setting "bench_services" do
        services[i] = skynet.newservice "bench_http_agent"
    end
    local id, _, port = socket.listen("127.0.0.1", 0, 128)
    local turn = 0
    socket.start(id, function(fd)
        turn = turn % #services + 1
        skynet.send(services[turn], "lua", fd)
    end)
    bench.ready(port, REQUEST)
end)

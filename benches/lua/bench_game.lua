-- The server of a game: the gate of this lualib, bench_services clients that come
-- from another process, and an agent for each, which answers messages of 100 bytes.

local skynet = require "skynet"
local sproto = require "sproto"
local sprotoloader = require "sprotoloader"
local sprotoparser = require "sprotoparser"
local bench = require "bench"

local SIZE <const> = 100 -- bytes of a message, with its header, as it is sent
local SCHEMA <const> = [[
    .package {
        type 0 : integer
        session 1 : integer
    }

    .position {
        x 0 : integer
        y 1 : integer
    }

    move 1 {
        request {
            unit 0 : integer
            to 1 : position
            path 2 : *position
            quick 3 : boolean
            text 4 : string
        }
        response {
            unit 0 : integer
            at 1 : position
            text 2 : string
        }
    }
]]

---A request of SIZE bytes; the length of its text makes them up.
local function request()
    local schema = sproto.parse(SCHEMA)
    for length = 1, SIZE do
        local message = schema:host():attach(schema)("move", {
            unit = 123456,
            to = { x = 1200, y = -340 },
            path = { { x = 1100, y = -300 }, { x = 1150, y = -320 } },
            quick = true,
            text = ("x"):rep(length),
        }, 77)
        if #message >= SIZE then
            return message
        end
    end
end

bench.main(function()
    sprotoloader.save(sprotoparser.parse(SCHEMA))
    local gate = skynet.newservice "gate"
    local agents = {}
    for i = 1, bench.setting "bench_services" do
        agents[i] = skynet.newservice "bench_agent"
    end
    skynet.dispatch("lua", function(_, _, _, event, fd, text)
        if event == "open" then
            skynet.send(table.remove(agents), "lua", "serve", gate, fd)
        elseif event == "error" then
            skynet.error("a client's socket has failed: " .. text)
        end
    end)
    local _, port = skynet.call(gate, "lua", "open", {
        address = "127.0.0.1",
        port = 0,
        maxclient = #agents + 2,
        nodelay = true,
    })
    bench.ready(port, string.pack(">s2", request()))
end)

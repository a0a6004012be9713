--- The C service gate: a watchdog, an agent and a broker that say what they get.
--- What the test's clients send are the commands.

local skynet = require "skynet.manager"
local print = require "print_line"

local role, port, header = ...

skynet.register_protocol { name = "text", id = skynet.PTYPE_TEXT, pack = tostring, unpack = skynet.tostring }
skynet.register_protocol { name = "client", id = skynet.PTYPE_CLIENT, pack = tostring, unpack = skynet.tostring }

if role then
    -- An agent or a broker: answers each frame through the gate.
    local gate
    skynet.start(function()
        skynet.dispatch("text", function(_, _, text)
            gate = tonumber(text)
        end)
        skynet.dispatch("client", function(session, source, text)
            local answer = ("%s %s %s"):format(role, skynet.address(source), text)
            skynet.ignoreret()
            skynet.send(gate, "client", answer .. string.pack("<I4", session))
        end)
    end)
    return
end

local gate, agent, broker

---@param id string
---@param text string
local function answer(id, text)
    skynet.send(gate, "client", text .. string.pack("<I4", tonumber(id)))
end

local doing = {}

function doing.echo(id, text)
    answer(id, text)
end

function doing.forward(id)
    skynet.send(gate, "text", ("forward %s %s :00000123"):format(id, skynet.address(agent)))
    answer(id, "forwarded")
end

function doing.broker(id)
    skynet.send(gate, "text", "broker .broker")
    answer(id, "brokered")
end

function doing.kick(id)
    skynet.send(gate, "text", "kick " .. id)
end

function doing.close(id)
    skynet.send(gate, "text", "close")
    answer(id, "closed")
end

function doing.wrong()
    skynet.send(gate, "text", "dance")
    skynet.send(gate, "text", "forward 1")
    skynet.send(gate, "text", "kick 4711")
    skynet.send(gate, "text", "start 4711")
    skynet.send(gate, "client", "1234")
    skynet.send(gate, "client", "text" .. string.pack("<i4", -5))
end

function doing.release(id)
    skynet.kill(gate)
end

function doing.exit()
    skynet.abort()
end

skynet.start(function()
    port, header = skynet.getenv "port", skynet.getenv "header"
    agent = skynet.newservice("gate_events", "agent")
    broker = skynet.newservice("gate_events", "broker")
    skynet.name(".broker", broker)
    skynet.register ".watchdog"
    skynet.dispatch("text", function(session, source, text)
        local id, event, rest = text:match "^(%d+) (%a+) ?(.*)$"
        if event == "open" then
            print("open", rest:match "^%d+ ([%d.]+):%d+:0$", rest:match "^%d+" == id)
            skynet.send(gate, "text", "start " .. id)
        elseif event == "close" then
            print "close"
        else
            assert(session == tonumber(id))
            local command, value = rest:match "^(%a+) ?(.*)$"
            skynet.ignoreret()
            doing[command](id, value)
        end
    end)
    for _, wrong in ipairs { "", "S", "S ! 0 0 5", "S .nobody 80 0 5", "X ! 80 0 5", "S ! 80 0", "S ! no:port 0 5" } do
        print(wrong, skynet.launch("gate", wrong))
    end
    gate = skynet.launch("gate", header, ".watchdog", "127.0.0.1:" .. port, 0, 2)
    for _, service in ipairs { agent, broker } do
        skynet.send(service, "text", gate)
    end
    print(gate and "listening" or "not listening")
end)

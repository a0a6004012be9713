--- Calls and messages between the services of two harbors, both ways.

local skynet = require "skynet.manager"
local harbor = require "skynet.harbor"
local exchanges = require "exchanges"

local role = skynet.getenv "role"
local other = role == "one" and "two" or "one"

---@param name string
---@param peer integer|string
local function all(name, peer)
    local function call(...)
        return skynet.call(peer, "lua", ...)
    end
    local function send(...)
        skynet.send(peer, "lua", ...)
    end
    exchanges.values(name, call, send)
    exchanges.at_once(name, call)
    exchanges.sizes(name, call, send)
    local number = harbor.queryname("PEER_" .. other) & 0xff000000
    exchanges.failures(name, call, function(address, ...)
        return skynet.call(address & 0xffffff | number, "lua", ...)
    end)
end

skynet.start(function()
    skynet.dispatch("lua", function()
        all("by address", harbor.queryname("PEER_" .. other))
        all("by name", "PEER_" .. other)
        skynet.error "done"
        skynet.ret()
    end)
    skynet.name("PEER_" .. role, skynet.newservice "peer")
    skynet.name("TEST_" .. role, skynet.self())
    if role == "one" then
        harbor.connect(2)
        skynet.fork(function()
            skynet.call(skynet.self(), "lua")
            skynet.call("TEST_two", "lua")
            skynet.error "both done"
        end)
    end
end)

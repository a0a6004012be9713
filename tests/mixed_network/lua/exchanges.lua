--- Exchanges with a peer (peer.lua) on another node, whatever leads to it.

local skynet = require "skynet"
local report = require "report"

local exchanges = {}

---Sizes around those at which messages are taken apart, and large ones.
local SIZES <const> = { 0, 1, 255, 32766, 32767, 32768, 65535, 65536, 1 << 20, 10 << 20 }

---@param name string what the lines begin with
---@param call fun(...): ... calls the peer
---@param send fun(...) sends to it
function exchanges.values(name, call, send)
    report.call(name .. " no value", call, "echo")
    report.call(name .. " values", call, "echo", nil, true, -1, 1 << 40, 0.5, "text", "")
    local ok, list = pcall(call, "echo", { 1, 2, { key = "value" } })
    report.line(name .. " table", ok, ok and #list, ok and list[3].key)
    for i = 1, 200 do
        send("note", tostring(i), i == 200)
    end
    report.call(name .. " sent in order", call, "notes")
end

---@param name string
---@param call fun(...): ...
---@param send fun(...)
function exchanges.sizes(name, call, send)
    for _, size in ipairs(SIZES) do
        local text = report.blob(size)
        report.call(("%s %d bytes there"):format(name, size), call, "check", text)
        report.call(("%s %d bytes back"):format(name, size), call, "blob", size)
        report.call(("%s %d bytes both ways"):format(name, size), call, "echo", text)
    end
    for _, size in ipairs(SIZES) do
        send("note", report.blob(size), size == SIZES[#SIZES])
    end
    report.call(name .. " sizes sent in order", call, "notes")
end

---Calls at one time, of which the later ones are answered first.
---@param name string
---@param call fun(...): ...
function exchanges.at_once(name, call)
    local arrive, wait = report.gather(5)
    local answers = {}
    for i = 1, 5 do
        skynet.fork(function()
            local ok, ticks = pcall(call, "sleep", 60 - i * 10)
            answers[#answers + 1] = ok and tostring(ticks) or "error"
            arrive()
        end)
    end
    wait()
    report.line(name .. " at once", table.concat(answers, " "))
end

---@param name string
---@param call fun(...): ...
---@param to fun(address: integer, ...): ... calls another service of the node
function exchanges.failures(name, call, to)
    report.call(name .. " error", call, "fail", "on purpose")
    report.call(name .. " error that is no text", call, "fail", { code = 7 })
    report.call(name .. " no such command", call, "dance")
    report.call(name .. " still there", call, "echo", "yes")
    report.call(name .. " no such handle", to, 0xfffff0, "echo")
    local another = call("another")
    report.call(name .. " another", to, another, "echo", "hello")
    report.call(name .. " it ends without an answer", to, another, "quit")
    -- Its last word comes before its end.
    skynet.sleep(20)
    report.call(name .. " it is gone", to, another, "echo", "hello")
end

return exchanges

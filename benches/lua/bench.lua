-- What the Lua benchmarks share: reading their settings, counting over a
-- window, printing a result line that benches/compare looks for, and ending
-- the node. Settings come from the node's config, because a start script
-- receives no arguments.

local skynet = require "skynet.manager"

local bench = {}

--- A positive integer of the config.
---@param key string
---@return integer
function bench.setting(key)
    local text = skynet.getenv(key)
    local value = math.tointeger(tonumber(text))
    if not value or value < 1 then
        error(string.format("config key %s: a positive integer is needed, not %s", key, tostring(text)))
    end
    return value
end

---@param metric string
---@param value number
function bench.result(metric, value)
    io.stdout:write(string.format("BENCH %s %.6g\n", metric, value))
    io.stdout:flush()
end

--- Tells the script that clients can come, and what they all ask. Does not return.
---@param port integer
---@param request string
function bench.ready(port, request)
    local hex = request:gsub(".", function(c)
        return ("%02x"):format(c:byte())
    end)
    io.stdout:write(("BENCH-READY %d %s\n"):format(port, hex))
    io.stdout:flush()
    skynet.wait()
end

--- Tells the script that the node that is measured can be started. Does not return:
--- the script ends this one.
function bench.peer_ready()
    io.stdout:write "BENCH-READY\n"
    io.stdout:flush()
    skynet.wait()
end

--- Runs `body` as the node's start service and ends the node after it. An
--- error is printed as a failure, so that the script does not wait in vain.
---@param body fun()
function bench.main(body)
    skynet.start(function()
        skynet.fork(function()
            local ok, err = xpcall(body, debug.traceback)
            if not ok then
                io.stdout:write("BENCH-FAILED ", (tostring(err):gsub("\n", " | ")), "\n")
                io.stdout:flush()
            end
            skynet.abort()
        end)
    end)
end

--- Sums what `services` did in a second, over `centiseconds` after a warm-up.
--- Each service answers "count" with its total and its own time in nanoseconds.
---@param services integer[]
---@param centiseconds integer
---@return number per_second
function bench.window(services, centiseconds)
    skynet.sleep(50)
    local count, time = {}, {}
    for i, address in ipairs(services) do
        count[i], time[i] = skynet.call(address, "lua", "count")
    end
    skynet.sleep(centiseconds)
    local rate = 0
    for i, address in ipairs(services) do
        local n, ns = skynet.call(address, "lua", "count")
        rate = rate + (n - count[i]) * 1e9 / (ns - time[i])
    end
    return rate
end

--- Resident memory of this process, in KiB.
---@return integer
function bench.resident()
    for line in io.lines "/proc/self/status" do
        local kib = line:match "^VmRSS:%s+(%d+) kB"
        if kib then
            return math.tointeger(tonumber(kib))
        end
    end
    error "/proc/self/status has no VmRSS"
end

return bench

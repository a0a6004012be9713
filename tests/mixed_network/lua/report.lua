--- What the programs tell of their calls: lines of the log that are the same whoever runs them.

local skynet = require "skynet"

local report = {}

---Bytes of a pattern whose length is a prime, so that a piece that is lost, doubled or moved shows.
local PATTERN <const> = (function()
    local bytes = {}
    for i = 1, 65521 do
        bytes[i] = string.char((i * 131 + i // 251) % 256)
    end
    return table.concat(bytes)
end)()

---@param size integer in bytes
---@return string text always the same for a size
function report.blob(size)
    return PATTERN:rep(size // #PATTERN) .. PATTERN:sub(1, size % #PATTERN)
end

---@param value any
---@return string
local function told(value)
    if type(value) ~= "string" then
        return tostring(value)
    elseif value ~= "" and value == report.blob(#value) then
        return ("%d bytes as sent"):format(#value)
    elseif #value <= 1000 then
        return value
    end
    return ("%d bytes, damaged"):format(#value)
end

---Logs a name and values; long texts by their length.
---@param name string
---@param ... any
function report.line(name, ...)
    local words = table.pack(...)
    for i = 1, words.n do
        words[i] = told(words[i])
    end
    skynet.error(("%s: %s"):format(name, table.concat(words, ", ")))
end

---Calls a function and logs what it returns or raises.
---@param name string
---@param call function
---@param ... any its arguments
function report.call(name, call, ...)
    report.line(name, pcall(call, ...))
end

---For a task that waits for several others.
---@param count integer
---@return fun() arrive each of the others calls it
---@return fun() wait returns when all have
function report.gather(count)
    local waiting
    return function()
        count = count - 1
        if count == 0 and waiting then
            skynet.wakeup(waiting)
        end
    end, function()
        if count > 0 then
            waiting = coroutine.running()
            skynet.wait(waiting)
        end
    end
end

---Logs what a function returns if that comes soon, and else that it does not. The call goes on.
---@param name string
---@param call function
---@param ... any its arguments
function report.soon(name, call, ...)
    local arguments = table.pack(...)
    local waiting = coroutine.running()
    local results
    skynet.fork(function()
        results = table.pack(pcall(call, table.unpack(arguments, 1, arguments.n)))
        if waiting then
            skynet.wakeup(waiting)
        end
    end)
    skynet.sleep(100, waiting)
    waiting = nil
    if results then
        report.line(name, table.unpack(results, 1, results.n))
    else
        report.line(name, "no answer yet")
    end
end

return report

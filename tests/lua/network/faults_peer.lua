--- The service that other nodes call while something is wrong with the network. It counts what comes.

local skynet = require "skynet"
local print = require "print_line"

--- What has come, by its key.
local seen = {}
local count, twice, lowest = 0, 0, nil
local held = 0

local answers = {}

---@param key integer of no other message
---@param ... any
---@return any ...
function answers.take(key, ...)
    count = count + 1
    if seen[key] then
        twice = twice + 1
    end
    seen[key] = true
    lowest = math.min(lowest or key, key)
    return ...
end

---Never answers.
---@param count integer how many calls of the kind come together
function answers.hold(count)
    held = held + 1
    if held % count == 0 then
        print(("holding %d"):format(count))
    end
    skynet.wait()
end

---@return string
function answers.totals()
    return ("took %d, twice %d, lowest %d"):format(count, twice, lowest or 0)
end

skynet.start(function()
    skynet.dispatch("lua", function(session, _, name, ...)
        if session == 0 then
            answers[name](...)
        else
            skynet.retpack(answers[name](...))
        end
    end)
end)

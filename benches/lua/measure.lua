-- How long a function takes, for benchmarks that do one thing over and over in one
-- service.

local core = require "skynet.core"

local ROUNDS <const> = 80
local ROUND_NS <const> = 3000000

--- Nanoseconds per call of `f`, the best of several rounds.
---@param f fun(n: integer)  runs what is measured n times
---@return number
return function(f)
    local n, best = 16, math.huge
    -- Find how many calls fill a round.
    while true do
        local start = core.hpc()
        f(n)
        local used = core.hpc() - start
        if used > ROUND_NS // 4 then
            n = math.max(1, n * ROUND_NS // used)
            break
        end
        n = n * 4
    end
    for _ = 1, ROUNDS do
        collectgarbage()
        local start = core.hpc()
        f(n)
        best = math.min(best, (core.hpc() - start) / n)
    end
    return best
end

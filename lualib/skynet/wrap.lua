--- Keeps session numbers apart near the point where they wrap, and for as long as old ones are in flight after it.
--- skynet.lua comes here only for sessions that reach its horizon: after some two thousand million of them.

local LAST <const> = 0x7fffffff
-- How many sessions pass between two looks at all that are in flight.
local ROUND <const> = 0x1000

local left = 0

---@param session integer   the session that was given out just now
---@param in_flight table   session -> anything but nil
---@param genid fun(): integer  takes the next session
---@param margin integer    how far ahead of a used number the care begins: sessions are given out elsewhere as well
---@return integer horizon  from which session on to ask again; 0: at every session
return function(session, in_flight, genid, margin)
    -- Whoever sends next gets the number after this one, and cannot give it back: so it has to be free now.
    local following = session % LAST + 1
    while in_flight[following] ~= nil do
        session = genid()
        following = session % LAST + 1
    end

    left = left - 1
    if left > 0 then
        return 0
    end
    left = ROUND
    -- Numbers above the present one stem from before the wrap. Nothing to fear below the first of them.
    local nearest = LAST
    for used in pairs(in_flight) do
        if used > session and used < nearest then
            nearest = used
        end
    end
    if nearest - session > 2 * margin then
        left = 0
        return nearest - margin
    end
    return 0
end

-- Arrays that grow and shrink, records made and changed, keys that come and go.
local rounds = tonumber(arg[1]) or 60
local sum = 0
for round = 1, rounds do
    local list = {}
    for i = 1, 20000 do
        list[i] = i ~ round
    end
    table.sort(list)
    for i = 1, #list, 3 do
        sum = sum + list[i]
    end
    local points = {}
    for i = 1, 4000 do
        points[#points + 1] = { x = i, y = round, z = 0 }
    end
    for _, point in ipairs(points) do
        point.z = point.x + point.y
        point.w = point.z
    end
    local set = {}
    for i = 1, 4000 do
        set["key" .. i % 500] = i
        set[i * 7] = true
    end
    for key in pairs(set) do
        set[key] = nil
    end
end
assert(sum > 0)

local seen = {}
for i = 1, 10 do
    if i % 3 == 0 then
        goto continue
    end
    if i == 8 then
        goto done
    end
    seen[#seen + 1] = i
    ::continue::
end
::done::
assert(table.concat(seen, " ") == "1 2 4 5 7")

-- A jump backwards makes a new variable each time.
local made = {}
do
    local i = 1
    ::again::
    local fresh = i
    made[i] = function()
        fresh = fresh + 1
        return fresh
    end
    i = i + 1
    if i <= 3 then
        goto again
    end
end
assert(made[1]() == 2 and made[1]() == 3 and made[3]() == 4)

local step, sum = 0, 0
while true do
    step = step + 1
    if step > 5 then
        break
    end
    repeat
        sum = sum + step
        local enough = sum > 3
    until enough
end
for i = 10, 1, -3 do
    sum = sum + i
end
for x = 1.0, 2.0, 0.25 do
    sum = sum + x
end
return sum

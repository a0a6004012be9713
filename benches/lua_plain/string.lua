-- Strings made, cut, searched and joined.
local rounds = tonumber(arg[1]) or 40
local total = 0
for round = 1, rounds do
    local parts = {}
    for i = 1, 6000 do
        parts[#parts + 1] = "item" .. i .. ":" .. round
    end
    local text = table.concat(parts, ",")
    for name, value in text:gmatch "(%a+%d+):(%d+)" do
        if name == "item77" then
            total = total + value
        end
    end
    text = text:gsub("item", "thing"):upper()
    for i = 1, #text, 97 do
        total = total + text:byte(i)
    end
    for i = 1, 6000 do
        total = total + #string.format("%d %s", i, text:sub(i, i + 20))
    end
end
assert(total > 0)

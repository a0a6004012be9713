--- A command's result as the lines that a debug console shows.

-- Keys of any type in the order of their texts.
local function sorted_keys(map)
    local keys = {}
    for key in pairs(map) do
        keys[#keys + 1] = key
    end
    table.sort(keys, function(a, b)
        return tostring(a) < tostring(b)
    end)
    return keys
end

local function one_line(value)
    if type(value) ~= "table" then
        return tostring(value)
    end
    local fields = {}
    for i, key in ipairs(sorted_keys(value)) do
        fields[i] = ("%s:%s"):format(key, value[key])
    end
    return table.concat(fields, "\t")
end

--- A table gives a line for each key, "key<tab>value", where a table is "key:value<tab>…"; anything else gives one line.
---@param result any
---@return string[]
return function(result)
    if type(result) ~= "table" then
        return { tostring(result) }
    end
    local lines = {}
    for i, key in ipairs(sorted_keys(result)) do
        lines[i] = ("%s\t%s"):format(key, one_line(result[key]))
    end
    return lines
end

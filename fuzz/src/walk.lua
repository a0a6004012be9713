-- Notes the lines of every Lua function that can be reached from the loaded modules.

local note = ...

local seen = {}
local waiting = {}

local function visit(value)
    local kind = type(value)
    if (kind == "table" or kind == "function") and not seen[value] then
        seen[value] = true
        waiting[#waiting + 1] = value
    end
end

visit(package.loaded)
while #waiting > 0 do
    local value = table.remove(waiting)
    if type(value) == "function" then
        local index = 1
        while true do
            local name, upvalue = debug.getupvalue(value, index)
            if not name then
                break
            end
            visit(upvalue)
            index = index + 1
        end
        if debug.getinfo(value, "S").what ~= "C" then
            note(value)
        end
    else
        for key, content in next, value do
            visit(key)
            visit(content)
        end
        visit(debug.getmetatable(value))
    end
end

local log = {}
local function guard(name)
    return setmetatable({}, {
        __close = function(_, problem)
            log[#log + 1] = name .. ":" .. tostring(problem)
        end,
    })
end
do
    local a <close> = guard "a"
    local b <close> = guard "b"
    local c <const> = 3
    log[#log + 1] = "body" .. c
end
local done, problem = pcall(function()
    local e <close> = guard "e"
    error("broken", 0)
end)
assert(not done and problem == "broken")
for _ in function(_, n)
    return n < 2 and n + 1 or nil
end, nil, 0, guard "loop" do
    log[#log + 1] = "turn"
end
local thread = coroutine.create(function()
    local f <close> = guard "f"
    coroutine.yield()
end)
coroutine.resume(thread)
assert(coroutine.close(thread))
assert(table.concat(log, " ") == "body3 b:nil a:nil e:broken turn turn loop:nil f:nil", table.concat(log, " "))
return #log

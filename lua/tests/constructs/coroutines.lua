local function generate(n)
    return coroutine.wrap(function()
        local got = 0
        for i = 1, n do
            got = got + (coroutine.yield(i + got) or 1) - 1
        end
        return "end"
    end)
end
local sum, next_value = 0, generate(4)
for _ = 1, 4 do
    sum = sum + next_value(1)
end
assert(sum == 10 and next_value() == "end")

-- Yields through pcall, metamethods and iterators.
local meta = setmetatable({}, {
    __add = function(_, b)
        return coroutine.yield "add" + b
    end,
    __index = function(_, key)
        return coroutine.yield(key)
    end,
})
local thread = coroutine.create(function(...)
    local done, result = pcall(function()
        return meta + 1
    end)
    local field = meta.field
    for value in coroutine.yield do
        field = field .. value
    end
    return done, result, field, ...
end)
assert(select(2, coroutine.resume(thread, "argument")) == "add")
assert(select(2, coroutine.resume(thread, 41)) == "field")
coroutine.resume(thread, "f")
coroutine.resume(thread, "g")
local alive, done, result, field, argument = coroutine.resume(thread, nil)
assert(alive and done and result == 42 and field == "fg" and argument == "argument")
assert(coroutine.status(thread) == "dead")
local bad = coroutine.create(function()
    error("in there", 0)
end)
assert(select(2, coroutine.resume(bad)) == "in there")
local threads = {}
for i = 1, 100 do
    threads[i] = coroutine.wrap(function()
        local own = i
        while true do
            own = own + coroutine.yield(own)
        end
    end)
    threads[i]()
end
for i = 1, 100 do
    assert(threads[i](1) == i + 1)
end
return sum

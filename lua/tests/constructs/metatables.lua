local vector = {}
vector.__index = vector
function vector.new(x, y)
    return setmetatable({ x = x, y = y }, vector)
end
function vector.__add(a, b)
    return vector.new(a.x + b.x, a.y + b.y)
end
function vector.__eq(a, b)
    return a.x == b.x and a.y == b.y
end
function vector:__tostring()
    return self.x .. ";" .. self.y
end
function vector:__call(factor)
    return vector.new(self.x * factor, self.y * factor)
end
vector.__len = function()
    return 2
end
vector.__lt = function(a, b)
    return a.x < b.x
end
vector.__concat = function(a, b)
    return tostring(a) .. "|" .. tostring(b)
end
function vector:length()
    return (self.x ^ 2 + self.y ^ 2) ^ 0.5
end
local sum = vector.new(1, 2) + vector.new(2, 2)
assert(sum == vector.new(3, 4) and sum:length() == 5.0 and tostring(sum) == "3;4" and #sum == 2)
assert(sum(2) == vector.new(6, 8) and vector.new(0, 0) < sum and sum .. sum == "3;4|3;4")

local derived = setmetatable({}, { __index = vector })
derived.__index = derived
local object = setmetatable({ x = 6, y = 8 }, derived)
assert(object:length() == 10.0 and object.missing == nil)

local written = {}
local proxy = setmetatable({}, {
    __newindex = function(_, key, value)
        written[key] = value
    end,
    __index = function(_, key)
        return key .. "?"
    end,
    __pairs = function()
        return next, written
    end,
})
proxy.a = 1
assert(rawget(proxy, "a") == nil and proxy.a == "a?" and written.a == 1)
for key, value in pairs(proxy) do
    assert(key == "a" and value == 1)
end
assert(("abc"):upper() == "ABC" and getmetatable("").__index == string)
local weak = setmetatable({}, { __mode = "k" })
weak[{}] = true
collectgarbage()
assert(next(weak) == nil)
return sum.x

-- Objects: methods found in a class, inherited ones found in its base.
local rounds = tonumber(arg[1]) or 1500000
local base = {}
base.__index = base
function base:area()
    return self.width * self.height
end
function base:grow(by)
    self.width = self.width + by
    return self
end
local box = setmetatable({}, { __index = base })
box.__index = box
function box.new(width, height)
    return setmetatable({ width = width, height = height, depth = 1 }, box)
end
function box:volume()
    return self:area() * self.depth
end
function box:set(name, value)
    self[name] = value
end
local total = 0
local object = box.new(2, 3)
for i = 1, rounds do
    object:grow(1)
    object:set("depth", i & 3)
    total = total + object:volume() % 7
    if i % 10 == 0 then
        object = box.new(i % 5, 3)
    end
end
assert(total > 0)

-- Functions from one prototype have upvalues of their own, and share them where
-- the program says so.
local function counter(step)
    local count = 0
    return function()
        count = count + step
        return count
    end, function()
        return count
    end
end

local up, value = counter(2)
local other = counter(3)
up()
up()
assert(value() == 4 and other() == 3)

local made = {}
for i = 1, 3 do
    local own = i
    made[i] = function(add)
        own = own + add
        return own
    end
end
assert(made[1](10) == 11 and made[1](1) == 12 and made[2](0) == 2)

local id = debug.upvalueid
assert(id(up, 1) == id(value, 1) and id(up, 1) ~= id(other, 1))
debug.upvaluejoin(other, 1, up, 1)
assert(other() == 7 and value() == 7)
assert(debug.getupvalue(up, 1) == "count" and debug.setupvalue(up, 1, 40) == "count")
assert(value() == 40)

-- The chunk's environment is the state's own.
private = (private or 0) + 1
assert(_ENV.private == private and _G.private == private)
return private

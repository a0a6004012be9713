local constant = "a string of more than forty characters, so that it is long for Lua"
local function sample(n, ...)
    local t = { constant, "short", 1.5, 7 }
    local function inner()
        return n, t[1]
    end
    local rest = { ... }
    return inner, rest[2]
end
for _, strip in ipairs { false, true } do
    local copy = load(string.dump(sample, strip), "copy", "b")
    assert(debug.setupvalue(copy, 1, constant))
    local inner, count = copy(5, 1, 2)
    local n, text = inner()
    assert(n == 5 and text == constant and count == 2)
end
local simple = load(string.dump(function(a)
    return a .. "!"
end))
assert(simple "x" == "x!")
-- The dump of the same function is the same, whoever makes it.
assert(string.dump(sample) == string.dump(sample))
return #string.dump(sample, true) > 100

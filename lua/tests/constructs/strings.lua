-- One text is one string, wherever it comes from.
local long = "a text with more characters than forty, which Lua does not intern"
local pieces = { "a text with more characters", " than forty, which Lua does not intern" }
assert(long == table.concat(pieces) and ({ [long] = 1 })[table.concat(pieces)] == 1)
local words = {}
for word in ("and end function local print string insert __index __gc brandnewword"):gmatch "%S+" do
    words[word] = (words[word] or 0) + 1
end
assert(words["and"] == 1 and words.print == 1 and words.brandnewword == 1 and words.__index == 1)
for _, reserved in ipairs { "and", "end", "while", "goto", "nil" } do
    assert(not load("local " .. reserved .. " = 1"))
end
assert(load "local global = 1 return global" () == 1)
assert(load "global print; print = print; return 1" () == 1)
assert(load("return x", "=x", "t", { ["x"] = 5 })() == 5)
assert(string.format("%s%d%q", "a", 1, "b\n") == "a1\"b\\\n\"" and ("%5.1f"):format(2.25) == "  2.2")
assert(("x"):byte() == 120 and #"\u{20AC}" == 3 and "\x41\65\z
    A" == "AAA")
assert(tostring(nil) == "nil" and "10" + 5 == 15 and 10 .. "" == "10")
local env = setmetatable({}, { __index = _G })
assert(load("made = 'made' .. 1 return made", "=env", "t", env)() == "made1" and env.made == "made1")
return #long

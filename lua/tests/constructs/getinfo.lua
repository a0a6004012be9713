local function outer(parameter)
    local variable = parameter
    local function inner(...)
        local info = debug.getinfo(1, "SlnutfL")
        return info, debug.getinfo(2, "nSl"), variable
    end
    local own, caller = inner(1)
    return own, caller, inner
end
local own, caller, inner = outer(1)
assert(own.short_src:match "getinfo%.lua$" and own.source == "@" .. own.short_src)
assert(own.linedefined == 3 and own.lastlinedefined == 6 and own.currentline == 4)
assert(own.what == "Lua" and own.name == "inner" and own.namewhat == "local")
assert(own.nups == 2 and own.nparams == 0 and own.isvararg and own.func == inner)
assert(own.activelines[4] and own.activelines[5] and not own.activelines[7])
assert(caller.currentline == 7 and caller.name == "outer" and caller.linedefined == 1)
assert(debug.getinfo(1, "S").what == "main" and debug.getinfo(1, "l").currentline == 17)
assert(debug.getlocal(outer, 1) == "parameter" and debug.getlocal(outer, 2) == nil)
local name, value = debug.getlocal(1, 1)
assert(name == "outer" and value == outer)

-- Hooks by line and by count; they belong to the state's own calls.
local lines = {}
debug.sethook(function(_, line)
    lines[#lines + 1] = line
end, "l")
local a = 1
a = a + 1
debug.sethook()
assert(lines[1] == 27 and lines[2] == 28 and lines[3] == 29, table.concat(lines, " "))
local count = 0
debug.sethook(function()
    count = count + 1
end, "", 10)
for _ = 1, 100 do
    a = a + 1
end
debug.sethook()
assert(count > 5)
assert(debug.traceback("x"):match "getinfo%.lua:40: in ")
return own.currentline

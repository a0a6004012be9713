-- For `inject`: _P has the upvalues of the message handlers, by the type's name.
local command = _P.lua.command

function command.twice(n)
    return 2 * n
end

print("patched with", ...)

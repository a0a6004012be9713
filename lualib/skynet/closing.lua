--- What a service does last. Lua calls finalisers in the reverse order of their objects; every service loads this file
--- before its own code makes any. So what is given here runs after all of them: they can still use what it gives back.

local functions = setmetatable({}, {
    __gc = function(all)
        for i = #all, 1, -1 do
            -- Nobody is there to hear of an error; the others have their turn in any case.
            pcall(all[i])
        end
    end,
})

--- Calls a function when the service's Lua state is closed. It may send messages, but not wait.
---@param func function
return function(func)
    table.insert(functions, func)
end

--- Finds the files of snax services for the test; no service.

return function(path, name, env)
    local pattern = path:match "[^;]+$"
    env.loaded = "loaded " .. name
    return assert(loadfile((pattern:gsub("?", name)), "t", env)), pattern
end

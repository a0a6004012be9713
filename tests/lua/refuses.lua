--- Checks that a call raises an error; no service.

---@param reason string  what the error's text has in it
---@param func function
---@param ... any  its arguments
return function(reason, func, ...)
    local ok, err = pcall(func, ...)
    assert(not ok and tostring(err):find(reason, 1, true), ("%s: %s"):format(reason, err))
end

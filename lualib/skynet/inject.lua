--- Runs a piece of source inside a running service, for the debug command RUN. The source sees the service's globals
--- and two tables more: _U, the tables that the given functions have as upvalues, and _P, the same for the handler of
--- each message type, by the type's name.

-- Adds the tables among func's upvalues to `found`, and those of the functions among them.
local function gather(found, func, seen)
    seen[func] = true
    for i = 1, math.huge do
        local name, value = debug.getupvalue(func, i)
        if not name then
            return
        end
        if type(value) == "table" then
            found[name] = value
        elseif type(value) == "function" and not seen[value] then
            gather(found, value, seen)
        end
    end
end

---@param skynet skynet
---@param source string
---@param filename? string  for error messages
---@param args table  packed arguments for the source
---@param ... function  where to look for upvalues
---@return boolean ok
---@return string[] output  the lines it printed, the error last
return function(skynet, source, filename, args, ...)
    local output = {}
    local seen = {}
    local upvalues, handlers = {}, {}
    for _, func in ipairs { ... } do
        gather(upvalues, func, seen)
    end
    for _, class in pairs(skynet._proto) do
        if class.dispatch and not handlers[class.name] then
            local found = {}
            handlers[class.name] = found
            gather(found, class.dispatch, seen)
        end
    end

    local env = setmetatable({
        _U = upvalues,
        _P = handlers,
        print = function(...)
            local words = table.pack(...)
            for i = 1, words.n do
                words[i] = tostring(words[i])
            end
            table.insert(output, table.concat(words, "\t"))
        end,
    }, { __index = _ENV })

    local chunk, err = load(source, filename and "@" .. filename or "=(load)", "bt", env)
    if not chunk then
        return false, { err }
    end
    local ok, reason = pcall(chunk, table.unpack(args, 1, args.n))
    if not ok then
        table.insert(output, tostring(reason))
    end
    return ok, output
end

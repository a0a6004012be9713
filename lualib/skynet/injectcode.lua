--- Evaluates source in the frame of a function that is on some coroutine's stack: it reads and changes that frame's
--- local variables, its upvalues and its varargs. For the remote debugger.

-- All names of a frame, and where each lives. Inner locals hide outer ones, locals hide upvalues.
local function read_frame(co, level, func)
    local frame = { names = {}, upvalues = {}, locals = {}, values = {} }
    local function declare(name)
        table.insert(frame.names, name)
    end
    local i = 1
    while true do
        local name = debug.getupvalue(func, i)
        if not name then
            break
        end
        declare(name)
        frame.upvalues[name] = i
        i = i + 1
    end
    i = 1
    while true do
        local name, value = debug.getlocal(co, level, i)
        if not name then
            break
        end
        if not name:find "^%(" then
            declare(name)
            frame.upvalues[name] = nil
            frame.locals[name] = i
            frame.values[name] = value
        end
        i = i + 1
    end
    return frame
end

local function read_varargs(co, level)
    local values = { n = 0 }
    while true do
        local name, value = debug.getlocal(co, level, -(values.n + 1))
        if not name then
            return values
        end
        values.n = values.n + 1
        values[values.n] = value
    end
end

-- Compiles the source as a function whose free names are upvalues, in the frame's scope.
local function compile(source, names)
    local declaration = #names > 0 and "local " .. table.concat(names, ",") .. "\n" or ""
    local maker, err = load(declaration .. "return function(...)\n" .. source .. "\nend", "=(debug)")
    if not maker then
        return nil, err
    end
    return maker()
end

-- Ties the compiled function's upvalues to the frame. Returns their positions by name.
local function bind(func, target, frame, extra)
    local position = {}
    local i = 1
    while true do
        local name = debug.getupvalue(func, i)
        if not name then
            return position
        end
        position[name] = i
        if frame.upvalues[name] then
            debug.upvaluejoin(func, i, target, frame.upvalues[name])
        elseif frame.locals[name] then
            debug.setupvalue(func, i, frame.values[name])
        elseif extra and extra[name] ~= nil then
            debug.setupvalue(func, i, extra[name])
        end
        i = i + 1
    end
end

---@param source string
---@param co? thread  the running one when left out
---@param level? integer  0 is the function that called this one, or the innermost of another coroutine
---@param extra? table<string, any>  more names for the source
---@return boolean ok  then the source's results, or the error
return function(source, co, level, extra)
    local here = coroutine.running()
    co = co or here
    level = level or 0
    -- In another coroutine levels are its own. Here this function is level 1, for debug functions that it calls, so
    -- that its caller is 2, and one more inside of read_frame and read_varargs.
    local own, inner = level, level
    if co == here then
        own, inner = level + 2, level + 3
    end
    local info = debug.getinfo(co, own, "f")
    if not info then
        return false, "Invalid level"
    end
    local target = info.func
    local frame = read_frame(co, inner, target)
    local varargs = read_varargs(co, inner)
    local names = frame.names
    for name in pairs(extra or {}) do
        -- In front, where the frame's own names hide it.
        table.insert(names, 1, name)
    end

    local func, err = compile(source, names)
    if not func then
        return false, err
    end
    local position = bind(func, target, frame, extra)
    local results = table.pack(pcall(func, table.unpack(varargs, 1, varargs.n)))
    if results[1] then
        for name, index in pairs(frame.locals) do
            if position[name] then
                local _, value = debug.getupvalue(func, position[name])
                debug.setlocal(co, own, index, value)
            end
        end
    end
    return table.unpack(results, 1, results.n)
end

--- Looking into a service's tasks: what waits for what, and where. For debug consoles and the like.

local traceback = debug.traceback

return function(skynet, kernel)
    local sessions = kernel.sessions
    local part = {}

    local function where(task)
        if not task then
            return "BREAK"
        end
        return task.origin or traceback(task.co)
    end

    local function session_of(co)
        for session, task in pairs(sessions) do
            if task and task.co == co then
                return session
            end
        end
    end

    --- Without argument: how many sessions are waited for. With a table: fills it with a line and a traceback for each.
    --- With a session: its task's traceback. With a thread: its session. With "init": where the start function is.
    ---@param what? table|integer|thread|"init"
    ---@return integer|string|nil
    function part.task(what)
        if what == nil then
            local count = 0
            for _, task in pairs(sessions) do
                if task then
                    count = count + 1
                end
            end
            return count
        end
        if what == "init" then
            local co = kernel.starting()
            return co and traceback(co)
        end
        local kind = type(what)
        if kind == "table" then
            for session, task in pairs(sessions) do
                local name = task and tostring(task.co) or "BREAK"
                what[string.format("%s session: %d", name, session)] = where(task)
            end
        elseif kind == "number" then
            local task = sessions[what]
            if task == nil then
                return "No session"
            end
            return where(task)
        elseif kind == "thread" then
            return session_of(what)
        end
    end

    --- All tasks, those in the same place counted together.
    ---@return table<string, string> stacks  "count sessions:[…]" -> traceback
    function part.uniqtask()
        local groups = {}
        for session, task in pairs(sessions) do
            local place = where(task)
            local group = groups[place]
            if not group then
                group = { count = 0 }
                groups[place] = group
            end
            group.count = group.count + 1
            if group.count < 10 then
                table.insert(group, session)
            end
        end
        local result = {}
        for place, group in pairs(groups) do
            local more = group.count > 10 and "..." or ""
            result[string.format("%d\tsessions:[%s%s]\n", group.count, table.concat(group, ","), more)] = place
        end
        return result
    end

    local function find(thread)
        if type(thread) == "thread" then
            return session_of(thread)
        end
        if type(thread) ~= "string" then
            return math.type(thread) and thread
        end
        -- A thread's name, as task() spells it, or the beginning of one.
        for session, task in pairs(sessions) do
            if task and tostring(task.co):find(thread, 1, true) then
                return session
            end
        end
    end

    --- Ends a task that waits, or that was forked and did not run yet. Its requester gets an error.
    ---@param thread thread|integer|string  the thread, its session or its name
    ---@return thread|nil  nil: not found
    function part.killthread(thread)
        if type(thread) == "thread" and kernel.unfork(thread) then
            return thread
        end
        local session = find(thread)
        local task = session and sessions[session]
        if not task then
            return
        end
        if task.session and task.session ~= 0 then
            require "skynet.core".send(task.source, skynet.PTYPE_ERROR, task.session, "")
        end
        task.session = false
        task.source = false
        task.tag = nil
        -- An answer to a call is still to come and must be dropped in silence; a timer's is reported as unknown.
        if task.callee then
            sessions[session] = false
        else
            sessions[session] = nil
        end
        for token, asleep in pairs(kernel.sleeping) do
            if asleep == session then
                kernel.sleeping[token] = nil
                break
            end
        end
        coroutine.close(task.co)
        return task.co
    end

    --- Turns on notes of where each timer is set, for task() to show; off with false.
    ---@param on boolean
    function part.trace_timeout(on)
        if not on then
            kernel.set_mark_timer(false)
            return
        end
        kernel.set_mark_timer(function(task, ti)
            task.origin = traceback(string.format("TIMER %d+%d : ", skynet.now(), ti), 3)
        end)
    end

    return part
end

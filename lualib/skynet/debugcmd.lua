--- The commands of the "debug" message type.

return function(skynet, export, info)
    local command = {}
    local collecting = false

    local function kilobytes()
        return collectgarbage "count"
    end

    --- Memory of the Lua state in KiB.
    function command.MEM()
        skynet.retpack(kilobytes())
    end

    --- A full collection. Those who ask while it runs get nothing of their own.
    function command.GC()
        if collecting then
            return
        end
        collecting = true
        local size, began = kilobytes(), skynet.now()
        collectgarbage "collect"
        -- Let the GC messages that piled up meanwhile find that they are late.
        skynet.yield()
        skynet.error(("GC %.2f Kb -> %.2f Kb, cost %.2f sec"):format(size, kilobytes(), (skynet.now() - began) / 100))
        collecting = false
    end

    function command.STAT()
        local stat = { task = skynet.task() }
        for _, what in ipairs { "mqlen", "cpu", "message" } do
            stat[what] = skynet.stat(what)
        end
        skynet.retpack(stat)
    end

    function command.TASK(session)
        if session then
            skynet.retpack(skynet.task(session))
            return
        end
        local all = {}
        skynet.task(all)
        skynet.retpack(all)
    end

    function command.UNIQTASK()
        skynet.retpack(skynet.uniqtask())
    end

    function command.KILLTASK(name)
        local co = skynet.killthread(name)
        if co then
            skynet.error(("Kill %s"):format(co))
            skynet.ret()
        else
            skynet.error(("Kill %s : Not found"):format(name))
            skynet.retpack "Not found"
        end
    end

    function command.INFO(...)
        skynet.retpack(info(...))
    end

    function command.EXIT()
        skynet.exit()
    end

    --- Runs a piece of source inside the service; see skynet.inject.
    function command.RUN(source, filename, ...)
        local inject = require "skynet.inject"
        local ok, output = inject(skynet, source, filename, table.pack(...), export.dispatch, skynet.register_protocol)
        collectgarbage "collect"
        skynet.retpack(ok, table.concat(output, "\n"))
    end

    function command.TERM(service)
        skynet.term(service)
    end

    function command.REMOTEDEBUG(...)
        require "skynet.remotedebug".start(export, ...)
    end

    --- Whether the service handles a message type.
    function command.SUPPORT(typename)
        skynet.retpack(skynet.dispatch(typename) ~= nil)
    end

    function command.PING()
        skynet.ret()
    end

    --- Is never answered: the caller learns from the error that this service is gone.
    function command.LINK()
        skynet.response()
    end

    function command.TRACELOG(typename, flag)
        if type(typename) ~= "string" then
            typename, flag = "lua", typename
        end
        skynet.error(("Turn trace log %s for %s"):format(flag, typename))
        skynet.traceproto(typename, flag)
        skynet.ret()
    end

    return command
end

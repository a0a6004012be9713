--- Message traces: a tag travels with every message that one message caused, and each step of it is logged.
---
--- A tag is announced to the next service by a message of PTYPE_TRACE just before the request it belongs to.

local core = require "skynet.core"
local ctrace = core.trace

return function(skynet, kernel)
    -- source -> the tag of its next request
    local announced = {}
    local serial = 0
    local part = {}

    --- Starts tracing the running task, unless its message type forbids it.
    ---@param info? string  goes into the log
    function part.trace(info)
        local task = kernel.current()
        skynet.error("TRACE", task.tag)
        if task.tag == false then
            return
        end
        serial = serial + 1
        local tag = string.format(":%08x-%d", skynet.self(), serial)
        task.tag = tag
        ctrace(tag, info and "trace " .. info or "trace")
    end

    --- A rawcall that is traced under a tag of the caller's choice.
    ---@param tag string
    ---@return lightuserdata msg
    ---@return integer sz
    function part.tracecall(tag, addr, typename, msg, sz)
        ctrace(tag, "tracecall begin")
        core.send(addr, skynet.PTYPE_TRACE, 0, tag)
        local answer, size = kernel.await(core.send(addr, kernel.proto[typename].id, nil, msg, sz), addr)
        ctrace(tag, "tracecall end")
        return answer, size
    end

    --- Tracing of a message type: true: every request, false: none, nil: those whose sender or handler asks for it.
    ---@param typename string|integer
    ---@param flag boolean|nil
    function part.traceproto(typename, flag)
        local p = assert(kernel.proto[typename], "unknown message type")
        p.trace = flag
    end

    -- The tag of `source`'s next request arrived.
    function part.announce(source, tag)
        announced[source] = tag
    end

    -- The request it was meant for will not be handled.
    function part.forget(source)
        announced[source] = nil
    end

    -- A task for a request of type `p` is about to start; it is the current one.
    function part.request(p, task)
        local source = task.source
        local tag = announced[source]
        announced[source] = nil
        if p.trace == false then
            task.tag = false
        elseif tag then
            ctrace(tag, "request")
            task.tag = tag
        elseif p.trace then
            part.trace()
        end
    end

    -- The running task is about to call `addr`.
    function part.call(tag, addr)
        ctrace(tag, "call", 3)
        core.send(addr, skynet.PTYPE_TRACE, 0, tag)
    end

    kernel.start_tracing(part)
    return part
end

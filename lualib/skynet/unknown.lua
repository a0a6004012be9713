--- Messages that nobody waits for: requests of a type without a handler, answers to no session. Both are reported,
--- by functions that a service may replace.

local core = require "skynet.core"

return function(skynet, kernel)
    local part = {}

    local function raise_unknown(session, source)
        error(string.format("Unknown session : %d from %x", session, source), 0)
    end

    local function on_request(session, source, msg, sz, typename)
        skynet.error(string.format("Unknown request (%s): %s", typename, core.tostring(msg, sz)))
        raise_unknown(session, source)
    end

    local function on_response(session, source, msg, sz)
        skynet.error(string.format("Response message : %s", core.tostring(msg, sz)))
        raise_unknown(session, source)
    end

    -- The error's text, as raw_dispatch_message returns it.
    local function protected(func, ...)
        local ok, err = pcall(func, ...)
        if not ok then
            return tostring(err)
        end
    end

    --- Replaces what happens to a send of a type without handler. (A call of that kind fails at once.)
    ---@param handler fun(session: integer, source: integer, msg: lightuserdata, sz: integer, typename: string|integer)
    ---@return function previous
    function part.dispatch_unknown_request(handler)
        local previous = on_request
        on_request = handler
        return previous
    end

    --- Replaces what happens to an answer that nobody waits for.
    ---@param handler fun(session: integer, source: integer, msg: lightuserdata, sz: integer)
    ---@return function previous
    function part.dispatch_unknown_response(handler)
        local previous = on_response
        on_response = handler
        return previous
    end

    -- A message arrived whose type has no handler.
    function part.request(ptype, msg, sz, session, source)
        local p = kernel.proto[ptype]
        if ptype == skynet.PTYPE_TRACE and not p then
            kernel.load "skynet.tracing".announce(source, core.tostring(msg, sz))
            return
        end
        if kernel.traced() then
            kernel.load "skynet.tracing".forget(source)
        end
        if session ~= 0 then
            return protected(core.send, source, skynet.PTYPE_ERROR, session, "")
        end
        return protected(on_request, session, source, msg, sz, p and p.name or ptype)
    end

    -- An answer arrived for a session that is not known.
    function part.response(session, source, msg, sz)
        return protected(on_response, session, source, msg, sz)
    end

    return part
end

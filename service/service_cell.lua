--- A service made from a function; service_provider sends it the function's bytecode.

local skynet = require "skynet"

local name = ...

local function become(code, ...)
    -- This service has started already: the function's own start runs now, before the request is answered.
    local start
    skynet.start = function(func)
        start = func
    end
    skynet.dispatch("lua", function()
        error "No dispatch function"
    end)
    assert(load(code, name))(...)
    if start then
        start()
    end
    skynet.ret()
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, what, ...)
        assert(what == "init", "a service cell takes one message, init")
        become(...)
    end)
end)

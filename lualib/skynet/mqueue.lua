--- Requests of a message type of their own, handled one after another however often each of them blocks. It is here for
--- services that use it; skynet.queue does the same for any function.

local skynet = require "skynet"

local mqueue = {}

-- Requests from `first` to `last`: packed arguments, with who has sent them.
local requests, first, last = {}, 1, 0
local handler
--- What the task that handles them waits for.
local arrival <const> = {}

skynet.register_protocol {
    name = "queue",
    id = skynet.PTYPE_QUEUE,
    pack = skynet.pack,
    unpack = skynet.unpack,
    dispatch = function(session, source, ...)
        local request = table.pack(...)
        request.source = source
        if session ~= 0 then
            request.answer = skynet.response()
        end
        last = last + 1
        requests[last] = request
        skynet.wakeup(arrival)
    end,
}

-- What a message without an answer has come to goes to the log, as the error of a task of its own.
local function complain(request, what)
    skynet.fork(function()
        error(("[:%x] send a message to [:%x] %s"):format(request.source, skynet.self(), what))
    end)
end

local function finish(request, ok, ...)
    if request.answer then
        -- What cannot be packed is the caller's error: others wait behind it.
        local packed, reason = pcall(request.answer, true, ok, ...)
        if not packed then
            request.answer(true, false, reason)
        end
    elseif not ok then
        complain(request, "throw an error : " .. tostring((...)))
    elseif (...) then
        complain(request, "return something")
    end
end

local function handle_all()
    while true do
        if first > last then
            skynet.wait(arrival)
        else
            local request = requests[first]
            requests[first] = nil
            first = first + 1
            finish(request, pcall(handler, table.unpack(request, 1, request.n)))
        end
    end
end

--- Sets the function that handles requests; once in a service.
---@param func function  takes the request's values; what it returns or raises is the answer
function mqueue.register(func)
    assert(handler == nil, "mqueue.register can be called once")
    handler = func
    skynet.fork(handle_all)
end

local function result(ok, ...)
    if not ok then
        error((...))
    end
    return ...
end

--- Sends a request, and returns or raises what its handler does.
---@param addr integer|string
---@param ... any
---@return any ...
function mqueue.call(addr, ...)
    return result(skynet.call(addr, "queue", ...))
end

--- Sends a request that wants no answer.
---@param addr integer|string
---@param ... any
function mqueue.send(addr, ...)
    return skynet.send(addr, "queue", ...)
end

--- How many requests wait.
---@return integer
function mqueue.size()
    return last - first + 1
end

return mqueue

--- skynet.request: several calls at once, with a common deadline.
---
---     for req, resp in skynet.request { addr, "lua", "ping" } { addr2, "lua", "ping" }:select(100) do … end

local core = require "skynet.core"

return function(skynet, kernel)
    local sessions = kernel.sessions
    local proto = kernel.proto

    --- Calls that are made together. Array of { address, type name, arguments… }.
    ---@class skynet.request
    ---@field timeout true|nil  set when the deadline came first
    local request = {}
    request.__index = request

    --- Adds a call. Calling the object does the same.
    ---@param call table  { address, type name, arguments…, n = length when there are nils among them }
    ---@return skynet.request self
    function request:add(call)
        assert(type(call) == "table", "a request is a table { address, type, ... }")
        assert(not self._answers, "requests cannot be added after select")
        self[#self + 1] = call
        return self
    end
    request.__call = request.add

    local function pack_answer(ok, ...)
        if ok then
            return table.pack(...)
        end
        skynet.error("An answer to a request cannot be unpacked :", (...))
        return false
    end

    -- Runs in the one coroutine that stands in for all of a request's calls in `sessions`.
    local function collect(self)
        while true do
            local ok, msg, sz, session = coroutine.yield "SUSPEND"
            if session == self._timer then
                self._timer = nil
                self.timeout = true
            else
                local call = self._calls[session]
                self._calls[session] = nil
                local answer = false
                if ok then
                    answer = pack_answer(pcall(proto[call[2]].unpack, msg, sz))
                end
                local last = self._last + 1
                self._last = last
                self._answers[last] = { call, answer }
            end
            skynet.wakeup(self)
        end
    end

    local function send_all(self, collector)
        local tag = kernel.current().tag
        for _, call in ipairs(self) do
            local address = call[1]
            local p = proto[call[2]]
            assert(p.unpack, "the message type cannot be unpacked")
            if tag then
                core.trace(tag, "call", 3)
                core.send(address, skynet.PTYPE_TRACE, 0, tag)
            end
            local session = core.send(address, p.id, nil, p.pack(table.unpack(call, 3, call.n)))
            if session then
                kernel.check_session(session)
                self._calls[session] = call
                self._open = self._open + 1
                sessions[session] = { co = collector, session = false, source = false, callee = address }
            else
                self._unsent[#self._unsent + 1] = call
            end
        end
    end

    -- The iterator. Calls that could not be sent come first, without an answer; then answers as they arrive.
    local function next_answer(self)
        local unsent = table.remove(self._unsent)
        if unsent then
            return unsent
        end
        if self._first > self._last then
            if self._open == 0 or self.timeout then
                return
            end
            skynet.wait(self)
            if self.timeout or self._first > self._last then
                return
            end
        end
        local first = self._first
        local entry = self._answers[first]
        self._answers[first] = nil
        self._first = first + 1
        self._open = self._open - 1
        return entry[1], entry[2]
    end

    --- Sends all calls. The iterator yields each call with its packed results, or with false when it failed, or with
    --- nil when there is no such service; it ends after the last one or at the deadline.
    ---@param timeout? integer  in centiseconds
    function request:select(timeout)
        assert(not self._answers, "select works once")
        self._answers, self._first, self._last = {}, 1, 0
        self._calls, self._open = {}, 0
        self._unsent = {}

        local collector = coroutine.create(collect)
        send_all(self, collector)
        if timeout then
            local timer = kernel.check_session(assert(core.intcommand("TIMEOUT", timeout)))
            self._timer = timer
            sessions[timer] = { co = collector, session = false, source = false, callee = false }
        end
        -- To its first yield, where it waits for answers.
        coroutine.resume(collector, self)
        return next_answer, self, nil, self
    end

    --- Drops the calls that are still open. Leaving the loop does the same.
    function request:close()
        for session in pairs(self._calls) do
            sessions[session] = false
        end
        self._calls, self._open = {}, 0
        if self._timer then
            sessions[self._timer] = false
            self._timer = nil
        end
    end
    request.__close = request.close

    return {
        --- Collects calls to be made at once; see select.
        ---@param call? table  the first call, as for add
        ---@return skynet.request
        request = function(call)
            local self = setmetatable({}, request)
            return call and self:add(call) or self
        end,
    }
end

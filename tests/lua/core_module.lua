--- What skynet.core does, told by the log. It is the first service of a node and
-- needs no other. The lines are in core_module.expected, times aside; they are
-- those of the reference's executable, on which the last command has to be EXIT:
-- there ABORT drops the lines that are not written yet.

local core = require "skynet.core"

local self = tonumber(core.command("REG"):sub(2), 16)
local handlers = {}
local count = 0

local function show(kind, msg, size, session, source)
    count = count + 1
    core.error("message", kind, type(msg), size, session, source, ":", core.tostring(msg, size))
    local handler = handlers[count]
    if handler then
        handler(msg, size)
    end
end

local function values(...)
    for i = 1, select("#", ...) do
        core.error("value", i, (select(i, ...)))
    end
end

handlers[1] = function()
    error("a string")
end

handlers[2] = function()
    error({})
end

handlers[3] = function()
    error()
end

-- The running callback is replaced, and must last until it returns.
handlers[4] = function()
    core.callback(function(...)
        core.error("by another callback")
        collectgarbage()
        show(...)
    end)
    collectgarbage()
    error("after the change")
end

handlers[5] = function()
    core.callback(show)
    core.callback(show, true)
    collectgarbage()
end

-- From here on messages are kept: whoever handles them frees them.
handlers[6] = function(msg, size)
    core.send(self, 10, 77, msg, size)
end

handlers[7] = function(msg, size)
    core.redirect(self, 0x123, 11, 78, msg, size)
end

handlers[8] = function(msg, size)
    core.trash(msg, size)
    core.callback(show)
    core.send(self, 7, 0, "the last of the old ones")
end

handlers[11] = function()
    core.error()
    core.error(nil)
    core.error(1, 2.5, nil, true, "x")
    core.error("")
    core.error("zero\0inside")
    core.error("zero\0inside", "zero\0")
    core.error(setmetatable({}, {
        __tostring = function()
            return "by its metamethod"
        end,
    }))
    core.error(#("x"):rep(3000), ("x"):rep(3000))
    core.trace("tag", "a text")
    core.trace("tag", "a level", 1)
    core.trace("tag", "%s", 0)
    local co = coroutine.create(function()
        coroutine.yield()
    end)
    coroutine.resume(co)
    core.trace("tag", "a thread", co)
    core.trace("tag", "a thread and a level", co, 0)
    core.trace("tag", "no such level", co, 7)
    core.trace("tag", "no such level", -1)

    core.send(".logger", 0, 0, "to a name")
    core.redirect(".logger", 0x77, 0, 0, "in another's name")
    values(core.send(0xfffffe, 0, 0, "to nobody"))
    values(core.send(".nobody", 0, 0, "to nobody"))
    values(core.send(0xfffffe, 0, 0, core.pack("nobody's block")))
    local block = core.pack("refused")
    values(core.send(self, 0, 0, block, -1))
    values(pcall(core.send, 0, 0, 0, ""))
    values(pcall(core.send, {}, 0, 0, ""))
    values(pcall(core.send, self, 0, "x", ""))
    values(pcall(core.send, self, 0, 0, true))
    local session = core.genid()
    values(core.genid() - session, core.send(self, 8, nil, "") - session, core.send(self, 8, 5, "x"))

    values(core.command("GETENV", "fixture"))
    values(core.command("GETENV", "nothing"))
    values(core.intcommand("GETENV", "number"), core.intcommand("GETENV", "real"))
    values(pcall(core.intcommand, "GETENV", "fixture"))
    values(core.addresscommand("REG"), core.addresscommand("GETENV", "address"))
    values(core.addresscommand("GETENV", "fixture"))
    values(core.harbor(0x05000001))
    values(core.unpack(core.packstring(1, nil, 2.0, "x")))
    values(pcall(core.pack, print))
    values(math.type(core.now()), core.hpc() <= core.hpc())
    core.intcommand("TIMEOUT", 0)
end

handlers[14] = function()
    core.command("ABORT")
end

core.callback(show)
for i = 1, 8 do
    core.send(self, i, 100 + i, ("m"):rep(i))
end

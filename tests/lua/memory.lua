--- skynet.memory: figures that are plausible, and follow what a service does.

local skynet = require "skynet.manager"
local print = require "print_line"
local memory = require "skynet.memory"

local function run()
    local total, block, current = memory.total(), memory.block(), memory.current()
    assert(total > 0 and block > 0)
    local size = 1 << 20
    local msg, sz = skynet.pack(("x"):rep(size))
    assert(memory.current() - current >= size)
    assert(memory.total() >= size and memory.info()[skynet.self()] >= size)
    skynet.trash(msg, sz)
    assert(memory.current() - current < size)
    local figures = memory.jestat()
    for _, name in ipairs { "active", "allocated", "mapped", "resident", "retained" } do
        assert(math.type(figures["stats." .. name]) == "integer", name)
    end
    assert(figures["stats.allocated"] > 0 and memory.mallctl "stats.allocated" > 0)
    assert(memory.mallctl "no.such.name" == 0)
    assert(not pcall(memory.mallctl))
    assert(type(memory.profactive()) == "boolean")
    memory.dump()
end

skynet.start(function()
    local ok, err = xpcall(run, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

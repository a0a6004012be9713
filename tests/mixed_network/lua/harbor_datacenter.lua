--- The datacenter, from the harbor that has it and from the other one.

local skynet = require "skynet.manager"
local datacenter = require "skynet.datacenter"
local harbor = require "skynet.harbor"
local report = require "report"

local answers = {}

for name, f in pairs { get = datacenter.get, set = datacenter.set, wait = datacenter.wait } do
    -- One value: nothing is as good as nil.
    answers[name] = function(...)
        return (f(...))
    end
end

local function all(name, here, there)
    report.call(name .. " nothing", here.get, name, "a")
    report.call(name .. " set", here.set, name, "a", 1)
    report.call(name .. " get there", there.get, name, "a")
    report.call(name .. " set there", there.set, name, "a", 2)
    report.call(name .. " get", here.get, name, "a")
    report.call(name .. " deep", here.set, name, "b", "c", "d", "text")
    local ok, branch = pcall(there.get, name, "b")
    report.line(name .. " branch", ok, type(branch), branch.c.d)
    report.call(name .. " large", here.set, name, "large", report.blob(1 << 20))
    report.call(name .. " large there", there.get, name, "large")
    report.call(name .. " wait for what is there", there.wait, name, "a")
    local arrive, wait = report.gather(3)
    for i, side in ipairs { here, there, there } do
        skynet.fork(function()
            report.line(("%s waited %d"):format(name, i), pcall(side.wait, name, "w", "x"))
            arrive()
        end)
    end
    skynet.sleep(20)
    report.call(name .. " not yet", here.get, name, "w", "x")
    report.call(name .. " a value where others wait below", there.set, name, "w", "x", "come")
    wait()
    report.call(name .. " a wait for a branch", there.wait, name, "w")
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        skynet.retpack(answers[name](...))
    end)
    if skynet.getenv "role" == "two" then
        skynet.name("TEST_two", skynet.self())
        return
    end
    skynet.fork(function()
        harbor.connect(2)
        local there = {}
        for name in pairs(answers) do
            there[name] = function(...)
                return skynet.call("TEST_two", "lua", name, ...)
            end
        end
        all("one", answers, there)
        all("two", there, answers)
        skynet.error "one is through"
    end)
end)

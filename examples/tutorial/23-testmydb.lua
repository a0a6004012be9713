--- Sets a key in 22-mydb (or 26-mydb2), gets it again, and exits. Arguments: key, value, and "time" to log the time as
--- well. When 32-forward runs, it goes through that, and says so in its words.

local skynet = require "skynet"

local key, value, with_time = ...

local function report(what, label, result)
    if with_time == "time" then
        skynet.error("mydb", what, label, result, "time", skynet.now())
    else
        skynet.error("mydb", what, label, result)
    end
end

local function test()
    local proxy = skynet.localname ".proxy"
    local db = proxy or ".mydb"
    local label = proxy and "Test" or "ret"
    skynet.error("key", key, proxy and "value" or ":value", value)
    report("set", label, skynet.send(db, "lua", "set", key, value))
    report("get", label, skynet.call(db, "lua", "get", key))
    skynet.exit()
end

skynet.start(function()
    skynet.fork(test)
end)

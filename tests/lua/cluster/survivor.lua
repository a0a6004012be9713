--- Outlives the node of server.lua at the config's `first`, with calls in flight when that one dies; prints `passed` when
--- the next one has answered.

local skynet = require "skynet.manager"
local cluster = require "skynet.cluster"
local print_line = require "print_line"

local CALLS <const> = 100

skynet.start(function()
    cluster.reload { server = skynet.getenv "first" }
    local failed = 0
    for number = 1, CALLS do
        skynet.fork(function()
            cluster.call("server", "@echo", "add", number)
            -- Some with long requests.
            local ok = pcall(cluster.call, "server", "@echo", "hang", ("x"):rep(number * 1000))
            assert(not ok, "an answer to what has none")
            failed = failed + 1
            if failed == CALLS then
                print_line "all have failed"
            end
        end)
    end
    local count = 0
    while count < CALLS do
        count = count + #cluster.call("server", "@echo", "seen")
    end
    print_line "in flight"
    while failed < CALLS do
        skynet.sleep(1)
    end
    -- Nobody is there, or the next one, which has got nothing yet.
    local found
    repeat
        local ok, list = pcall(cluster.call, "server", "@echo", "seen")
        found = ok and list
        skynet.sleep(1)
    until found
    assert(#found == 0, "something came twice")
    assert(cluster.call("server", "@echo", "echo", "back") == "back", "a wrong answer")
    cluster.send("server", "@echo", "add", 1)
    assert(#cluster.call("server", "@echo", "seen") == 1, "a send did not come once")
    cluster.send("server", "@echo", "exit")
    print_line "passed"
    skynet.timeout(10, skynet.abort)
end)

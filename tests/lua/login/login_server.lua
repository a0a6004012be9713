--- A login server for the test. A token is `user:server`; what happens to it, its user's name says.

local login = require "snax.loginserver"
local skynet = require "skynet"

local conf = {
    host = "127.0.0.1",
    port = tonumber(skynet.getenv "login_port"),
    name = "login_master",
    instance = 2,
    line_limit = 4096,
}

--- What the test's msgserver is.
local gate

--- Wakes the login that waits.
local held

function conf.auth_handler(token)
    local user, server = token:match "^(%w+):(%w+)$"
    assert(user, "no such token")
    assert(user ~= "nobody", "nobody cannot log in")
    return server, user
end

function conf.login_handler(server, uid, secret)
    assert(server == "sample", "no such server")
    if uid == "slow" then
        held = coroutine.running()
        skynet.wait(held)
    end
    if uid == "nothing" then
        return
    end
    return tostring(skynet.call(gate, "lua", "login", uid, secret))
end

local commands = {}

function commands.gate(address)
    gate = address
    return conf.port
end

function commands.held()
    return held ~= nil
end

function commands.release()
    skynet.wakeup(held)
    held = nil
end

function conf.command_handler(name, ...)
    return commands[name](...)
end

login(conf)

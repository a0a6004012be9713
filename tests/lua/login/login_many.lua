--- A login server for the test that lets one user log in several times at once. The first login waits for the second.

local login = require "snax.loginserver"
local skynet = require "skynet"

local first

local conf = {
    host = "127.0.0.1",
    port = skynet.getenv "many_port",
    name = "login_many",
    instance = 2,
    multilogin = true,
    auth_handler = function(token)
        return "server", token
    end,
    login_handler = function()
        if first then
            skynet.wakeup(first)
            return "second"
        end
        first = coroutine.running()
        skynet.wait(first)
        return "first"
    end,
}

function conf.command_handler()
    return conf.port, first ~= nil
end

login(conf)

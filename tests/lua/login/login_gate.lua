--- A msgserver for the test. Requests are orders to it.

local msgserver = require "snax.msgserver"
local skynet = require "skynet"

local conf = { expired_number = 4 }
local subids = 0
local servername

--- What has happened: lines for the test.
local events = {}

--- Wakes the request that waits.
local held

function conf.login_handler(uid, secret)
    subids = subids + 1
    msgserver.login(msgserver.username(uid, subids, servername), secret)
    return subids
end

function conf.logout_handler(uid, subid)
    msgserver.logout(msgserver.username(uid, subid, servername))
end

function conf.kick_handler(what, ...)
    -- Whatever the test asks for.
    if what == "events" then
        local happened = table.concat(events, " ")
        events = {}
        return happened
    elseif what == "ip" then
        return msgserver.ip(msgserver.username(...))
    elseif what == "held" then
        return held ~= nil
    elseif what == "release" then
        skynet.wakeup(held)
        held = nil
    end
end

function conf.disconnect_handler(username)
    local uid, subid, name = msgserver.userid(username)
    table.insert(events, ("-%s/%s/%s"):format(uid, subid, name))
    assert(uid ~= "careless", "disconnect_handler fails on purpose")
end

function conf.request_handler(username, order)
    table.insert(events, order)
    local what, rest = order:match "^(%w+) ?(.*)$"
    if what == "wait" then
        held = coroutine.running()
        skynet.wait(held)
    elseif what == "fail" then
        error "the request fails on purpose"
    elseif what == "nothing" then
        return
    elseif what == "large" then
        return ("x"):rep(tonumber(rest))
    elseif what == "who" then
        return (msgserver.userid(username))
    end
    return order:upper()
end

function conf.register_handler(name, gate)
    servername = name
    return gate and gate.port
end

msgserver.start(conf)

--- A snax service that counts, and tells another service of its end.

local skynet = require "skynet"
local snax = require "skynet.snax"

if reading then
    reading()
end

local count = 0
local watcher

local function add(amount)
    count = count + amount
    return count
end

function init(address, ...)
    watcher = address
    greeting = table.concat({ ... }, " ")
    -- What comes before the end of this is refused.
    skynet.sleep(1)
end

function exit(...)
    skynet.send(watcher, "lua", "exit", count, ...)
end

function accept.add(amount)
    add(amount)
end

function accept.quit(...)
    snax.exit(...)
end

function accept.fail()
    error "posted on purpose"
end

function accept.open()
    snax.enablecluster()
end

function response.get()
    return count, greeting
end

function response.place()
    return SERVICE_NAME, SERVICE_PATH, accept, response, require "helper"
end

function response.loader()
    return loaded
end

function response.self()
    return tostring(snax.self()), snax.self().handle
end

function response.fail()
    error "requested on purpose"
end

function response.spin(rounds)
    for _ = 1, rounds do
        add(0)
    end
end

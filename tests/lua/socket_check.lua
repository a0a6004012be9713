--- What the programs that test sockets have in common; no service.

local skynet = require "skynet.manager"
local socket = require "skynet.socket"
local print = require "print_line"

local check = {}

--- How long an event may take, in hundredths of a second.
local DEADLINE <const> = 1500

function check.equal(found, expected, what)
    if found ~= expected then
        error(("%s: found %s, expected %s"):format(what, tostring(found), tostring(expected)), 2)
    end
end

--- An error must come, and have this in its text.
function check.fails(text, func, ...)
    local ok, reason = pcall(func, ...)
    if ok or not tostring(reason):find(text, 1, true) then
        error(("expected an error with %q, found %s %s"):format(text, ok, tostring(reason)), 2)
    end
end

--- Waits until something is so.
function check.eventually(what, so)
    local last = skynet.now() + DEADLINE
    while not so() do
        if skynet.now() > last then
            error("in vain: " .. what, 2)
        end
        skynet.sleep(1)
    end
end

--- Whether this machine has an address: IPv6 may be turned off.
function check.has(host)
    local ok, id = pcall(socket.listen, host, 0)
    if ok then
        socket.close(id)
    end
    return ok
end

--- A listening socket on a free port whose new connections are kept in a list.
function check.listener(host)
    local id, address, port = socket.listen(host or "127.0.0.1", 0)
    local accepted = {}
    socket.start(id, function(new, from)
        table.insert(accepted, { id = new, from = from })
    end)
    return { id = id, address = address, port = port, accepted = accepted }
end

--- Both ends of a connection; the server's is not started if `later` is true.
function check.pair(listener, later)
    local client = assert(socket.open("127.0.0.1", listener.port))
    check.eventually("a connection is accepted", function()
        return listener.accepted[1]
    end)
    local server = table.remove(listener.accepted, 1)
    if not later then
        assert(socket.start(server.id))
    end
    return client, server.id, server.from
end

--- Runs the cases as a service, and prints "passed" if none fails.
function check.main(cases)
    skynet.start(function()
        skynet.fork(function()
            local passed = true
            for _, case in ipairs(cases) do
                local name, func = case[1], case[2]
                local ok, reason = xpcall(func, debug.traceback)
                if not ok then
                    passed = false
                    print(name .. ": " .. reason)
                end
            end
            -- In one piece, since the logger writes there as well.
            io.stdout:write(passed and "passed\n" or "failed\n"):flush()
            skynet.abort()
        end)
    end)
end

return check

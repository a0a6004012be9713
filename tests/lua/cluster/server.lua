--- A node whose services others call; no test by itself. It listens at two ports, the first of them the config's `port`
--- or a free one, and prints both. It runs on the reference, too, to be called from here.

local skynet = require "skynet.manager"
local cluster = require "skynet.cluster"
local snax = require "skynet.snax"
local print_line = require "print_line"

local seen = {}

local command = {}

function command.echo(...)
    return ...
end

function command.size(text)
    return #text
end

function command.repeated(text, count)
    return text:rep(count)
end

function command.fail()
    error "as asked"
end

--- Keeps what comes, in order.
function command.add(number)
    seen[#seen + 1] = number
end

function command.seen()
    local list = seen
    seen = {}
    return list
end

--- Never answers.
function command.hang()
    skynet.wait()
end

function command.self()
    return skynet.self()
end

--- Calls back, or sends, to the node that asks.
function command.back(address, name, ...)
    cluster.reload { client = address }
    return cluster.call("client", name, ...)
end

function command.unregister(name)
    cluster.unregister(name)
end

function command.register(name, handle)
    cluster.register(name, handle)
end

--- A second service of the same kind.
function command.other()
    return skynet.newservice("cluster/other")
end

function command.listen(address)
    cluster.reload { extra = address }
    return cluster.open "extra"
end

function command.exit()
    skynet.timeout(0, skynet.abort)
end

skynet.start(function()
    skynet.dispatch("lua", function(session, _, name, ...)
        local results = table.pack(command[name](...))
        if session ~= 0 then
            skynet.retpack(table.unpack(results, 1, results.n))
        end
    end)
    skynet.register ".echo"
    cluster.register("echo", skynet.self())
    snax.uniqueservice "remote"
    local _, second = cluster.open(0)
    -- Started again, it is to be found where it was.
    local _, port = cluster.open(tonumber(skynet.getenv "port") or 0)
    print_line("listening", port, second)
end)

--- A node of a harbor network that does what its standard input says, a line each:
---
---     TAG call WHO WORD   calls a service, by name or ":handle", and prints what it answers
---     TAG send WHO WORD
---     TAG large WHO SIZE  calls with so many bytes, which come back
---     TAG many WHO COUNT  makes so many calls at once that are not answered; prints how many failed when all did
---     TAG name WORD       registers a global name for the service that answers
---     TAG harbor F …      calls a function of skynet.harbor
---     TAG exit
---
--- Each line is taken when it comes, and prints TAG with its results when it is done. The service answers `echo`
--- with what follows and the node's number, and never answers `hold`.

local skynet = require "skynet.manager"
local harbor = require "skynet.harbor"
local socket = require "skynet.socket"
local print_line = require "print_line"

local command = {}

local function who(text)
    local hex = text:match "^:(%x+)$"
    return hex and tonumber(hex, 16) or text
end

function command.call(service, word)
    return skynet.call(who(service), "lua", word)
end

function command.send(service, word)
    skynet.send(who(service), "lua", word)
    return "sent"
end

function command.large(service, size)
    local text = ("x"):rep(tonumber(size) - 1) .. "y"
    return skynet.call(who(service), "lua", text) == text
end

function command.many(service, count)
    local failed = 0
    local co = coroutine.running()
    for _ = 1, count do
        skynet.fork(function()
            if not pcall(skynet.call, who(service), "lua", "hold") then
                failed = failed + 1
                if failed == tonumber(count) then
                    skynet.wakeup(co)
                end
            end
        end)
    end
    skynet.yield()
    print_line("made", count)
    skynet.wait(co)
    return failed
end

function command.name(name)
    skynet.register(name)
    return skynet.address(skynet.self())
end

function command.harbor(name, argument)
    local result = harbor[name](tonumber(argument) or argument)
    return result and skynet.address(result) or "done"
end

function command.exit()
    skynet.abort()
    return "bye"
end

local function obey(line)
    local words = {}
    for word in line:gmatch "%S+" do
        words[#words + 1] = word
    end
    local results = table.pack(pcall(command[words[2]], table.unpack(words, 3)))
    print_line(words[1], table.unpack(results, 2, results.n))
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, word)
        if word == "hold" then
            print_line "held"
            skynet.ignoreret()
            return
        end
        if #word < 100 then
            print_line("got", word)
        end
        skynet.retpack(word, skynet.harbor(skynet.self()))
    end)
    local input = socket.stdin()
    skynet.fork(function()
        local line = socket.readline(input)
        while line do
            skynet.fork(obey, line)
            line = socket.readline(input)
        end
    end)
    print_line("ready", skynet.address(skynet.self()))
end)

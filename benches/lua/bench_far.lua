-- Answers another node's requests. The first value says what is wanted.

local skynet = require "skynet"

local MEBIBYTE <const> = ("x"):rep(1 << 20)

local hits = 0
local command = {}

function command.add(n)
    skynet.retpack(n + 1)
end

function command.hit()
    hits = hits + 1
end

---Answers how many hits have come: those the caller sent before are among them.
function command.hits()
    skynet.retpack(hits)
end

function command.size(text)
    skynet.retpack(#text)
end

function command.text()
    skynet.retpack(MEBIBYTE)
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, name, ...)
        command[name](...)
    end)
end)

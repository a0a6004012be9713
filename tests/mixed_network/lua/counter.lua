--- A snax service, which another node uses.

local skynet = require "skynet"
local snax = require "skynet.snax"
local report = require "report"

local count = 0

function response.add(n)
    count = count + n
    return count
end

function response.fail()
    error "on purpose"
end

function response.blob(size)
    return report.blob(size)
end

function accept.plus(n, text)
    count = count + n
    skynet.error("plus", n, text and #text, text and text == report.blob(#text))
end

function init(...)
    snax.enablecluster()
    skynet.error("counter", ...)
end

function exit(...)
    skynet.error("the count is", count, ...)
end

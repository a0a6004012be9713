--- A snax service that other nodes use; no test by itself.

local snax = require "skynet.snax"

local total = 0

function init()
    snax.enablecluster()
end

function response.ping(text)
    return text, total
end

function accept.add(number)
    total = total + number
end

--- A service that does nothing.

local skynet = require "skynet"

skynet.start(function() end)

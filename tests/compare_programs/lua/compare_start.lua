-- The service that a compared node starts: first the one that ends the node on
-- request, then the program, as the bootstrap service would have started it.

local skynet = require "skynet"

skynet.start(function()
    skynet.newservice("compare_end")
    pcall(skynet.newservice, skynet.getenv "compare_program")
    skynet.exit()
end)

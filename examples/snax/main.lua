--- Uses the snax service of stock.lua, repairs it while it runs, and ends the node.

local skynet = require "skynet.manager"
local snax = require "skynet.snax"

---@param name string beside this file
---@return string
local function read_file(name)
    local file <close> = assert(io.open(SERVICE_PATH .. name))
    return file:read "a"
end

skynet.start(function()
    local stock = snax.newservice("stock", "The corner shop")
    -- Messages and requests of one service come in the order they are sent in.
    stock.post.deliver("apples", 5)
    stock.post.deliver("pears", 3)
    snax.printf("%s has %d apples", stock, stock.req.count "apples")
    snax.printf("took %d apples, %d are left", stock.req.take("apples", 7), stock.req.count "apples")

    snax.printf("repaired: %s", snax.hotfix(stock, read_file "stock_patch.lua"))
    snax.printf("took %d apples, %d are left", stock.req.take("apples", 1), stock.req.count "apples")
    snax.printf("took %d pears, %d are left", stock.req.take("pears", 7), stock.req.count "pears")

    local profile = snax.profile_info(stock)
    snax.printf("take was called %d times", profile.take.count)
    -- Whoever asks for a unique service of this name gets one and the same.
    local shared = snax.uniqueservice("stock", "The supermarket")
    assert(shared == snax.queryservice "stock")
    snax.kill(shared, "nobody came")
    snax.kill(stock, "it is late")
    skynet.abort()
end)

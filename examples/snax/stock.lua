--- A snax service: what a shop has in stock. It has a mistake, which stock_patch.lua repairs.

local snax = require "skynet.snax"

local shop
local stock = {}
local taken = 0

--- The first thing that happens to the service; the arguments are those of snax.newservice.
function init(name)
    shop = name
    snax.printf("%s opens", shop)
end

--- The last thing; the arguments are those of snax.kill or snax.exit.
function exit(reason)
    snax.printf("%s closes, %d things were taken: %s", shop, taken, reason)
end

--- A message, `stock.post.deliver(...)`: nobody waits for it.
function accept.deliver(thing, count)
    stock[thing] = (stock[thing] or 0) + count
end

--- A request, `stock.req.count(...)`: who makes it gets what this returns.
function response.count(thing)
    return stock[thing] or 0
end

function response.take(thing, count)
    -- The mistake: there may not be as many.
    stock[thing] = (stock[thing] or 0) - count
    taken = taken + count
    return count
end

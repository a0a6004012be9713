--- A patch for stock.lua. The locals without a value become those of the service; a name that is none there stays as it
--- is.

local stock
local taken

function response.take(thing, count)
    count = math.min(count, stock[thing] or 0)
    stock[thing] = (stock[thing] or 0) - count
    taken = taken + count
    return count
end

--- Runs when everything is replaced. What it returns is what snax.hotfix returns.
function hotfix()
    local repaired = {}
    for thing, count in pairs(stock) do
        if count < 0 then
            taken = taken + count
            stock[thing] = 0
            table.insert(repaired, thing)
        end
    end
    return table.concat(repaired, " ")
end

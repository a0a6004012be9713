--- What snax files see while only their interface is read; no service.

local reads = 0

return {
    require = function() end,
    --- Counts the readers of a file.
    reading = function()
        reads = reads + 1
        return reads
    end,
}

local function count(...)
    return select("#", ...), ...
end
local function named(first, ...rest)
    return first, rest.n, rest[1], rest[rest.n]
end
assert(count() == 0 and count(nil, nil) == 2)
local first, n, head, last = named(1, 2, nil, 4)
assert(first == 1 and n == 3 and head == 2 and last == 4)
assert(select(-1, 1, 2, "x") == "x")
local packed = table.pack(count("a", "b"))
assert(packed.n == 3 and packed[1] == 2 and packed[3] == "b")

local many = {}
for i = 1, 300 do
    many[i] = i
end
assert(select("#", table.unpack(many)) == 300)
assert((select(2, count(table.unpack(many)))) == 1)
-- The chunk is a vararg function itself.
return select("#", ...)

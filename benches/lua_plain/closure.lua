-- Functions made and called, values kept in upvalues.
local rounds = tonumber(arg[1]) or 900
local total = 0
local function compose(f, g)
    return function(x)
        return f(g(x))
    end
end
local function adder(n)
    return function(x)
        total = total + 1
        return x + n
    end
end
for round = 1, rounds do
    local chain = adder(round)
    for i = 1, 20 do
        chain = compose(chain, adder(i))
    end
    for i = 1, 100 do
        assert(chain(i) == i + 210 + round)
    end
end

-- Constants as keys and values, integers and floats among them.
local t = { 10, 20, 30, nil, 50, [-1] = "minus", [0] = "zero", [2^53] = "big", [1.5] = "half", name = "n" }
assert(t[1] == 10 and t[5] == 50 and t[-1] == "minus" and t[0] == "zero")
assert(t[1 << 53] == "big" and t[3 / 2] == "half" and t["na" .. "me"] == "n")
t[100000000000] = 1
t[1.0] = 11
assert(t[1] == 11 and math.type(next({ [2.0] = true })) == "integer")
assert(t[100000000000] == 1 and 0x7fffffffffffffff == math.maxinteger)
assert(1 // 0.0 == math.huge and -7 // 2 == -4 and -7 % 3 == 2 and 7 & 3 | 8 ~ 1 == 11)
local keys = {}
for key in pairs { x = 1, y = 2, [3] = 3, [true] = 4 } do
    keys[#keys + 1] = tostring(key)
end
table.sort(keys)
assert(table.concat(keys, ",") == "3,true,x,y")

-- Keys that are made while the program runs are those in its constants.
local made = {}
for _, word in ipairs { "alpha", "beta", "gamma" } do
    made[word:sub(1, 2) .. word:sub(3)] = #word
end
assert(made.alpha == 5 and made.beta == 4 and made.gamma == 5)
assert(rawequal("alp" .. tostring("ha"), "alpha") and rawget(made, ("x"):rep(0) .. "beta") == 4)
made.alpha = nil
assert(next(made, "beta") ~= "alpha" and made["al" .. "pha"] == nil)
return 1e15 + 2^-3

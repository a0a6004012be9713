--- Compares two builds of skynet.datasheet.dump, ours and the reference's: the same tables give the same bytes. Both
--- are files in Lua; any Lua runs this:
--
--     skynet lua compare_datasheet.lua <our lualib> <the reference's lualib> [seed]

local comparison = dofile((arg[0]:match "^.*/" or "") .. "comparison.lua")

local our_directory, their_directory, seed = ...
local ours = dofile(our_directory .. "/skynet/datasheet/dump.lua")
local theirs = dofile(their_directory .. "/skynet/datasheet/dump.lua")
seed = math.tointeger(tonumber(seed)) or os.time()
math.randomseed(seed)
local random = math.random

local function scalar()
    local kind = random(5)
    if kind == 1 then
        return random(-0x80000000, 0x7fffffff)
    elseif kind == 2 then
        return random(0) / 3
    elseif kind == 3 then
        return random(1000) / 8
    elseif kind == 4 then
        return random(2) == 1
    end
    return ("text"):rep(random(0, 3)) .. random(20)
end

local function content(depth)
    local made = {}
    for i = 1, random(0, 5) do
        made[i] = depth > 0 and random(3) == 1 and content(depth - 1) or scalar()
    end
    for _ = 1, random(0, 5) do
        made["key " .. random(10)] = depth > 0 and random(2) == 1 and content(depth - 1) or scalar()
    end
    return made
end

local checks, differences = 0, 0

local function check(what, equal)
    checks = checks + 1
    if not equal then
        differences = differences + 1
        print("different: " .. what)
    end
end

for _ = 1, 300 do
    local document
    for version = 1, 4 do
        local made = content(4)
        local dumped = ours.dump(made)
        check("dump", dumped == theirs.dump(made))
        if document then
            local next_document = ours.diff(document, dumped)
            check("diff " .. version, next_document == theirs.diff(document, dumped))
            document = next_document .. version
        else
            document = dumped .. version
        end
        local all = comparison.canonical_all
        check("undump", all(true, (ours.undump(document))) == all(true, (theirs.undump(document))))
    end
end
print(("compare: seed %d, %d checks, %d differences"):format(seed, checks, differences))

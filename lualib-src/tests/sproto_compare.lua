-- Compares sproto.core and sprotoparser with those of another skynet, on random
-- schemas, values and damaged messages, and the time that both take. It runs as a
-- service, with this in the config:
--
--     bootstrap = "snlua sproto_compare DIRECTORY ROUNDS SEED"
--     luaservice = "./lualib-src/tests/?.lua"
--
-- DIRECTORY is the other skynet's, with luaclib/ and lualib/ in it.

local directory, rounds, seed = ...
rounds = tonumber(rounds) or 1000
seed = tonumber(seed) or os.time()
math.randomseed(seed)
local random = math.random

local ours = require "sproto.core"
local our_parser = require "sprotoparser"
local library = directory .. "/luaclib/sproto.so"
local theirs = assert(package.loadlib(library, "luaopen_sproto_core"))()
package.preload.lpeg = assert(package.loadlib(directory .. "/luaclib/lpeg.so", "luaopen_lpeg"))
local their_parser = assert(loadfile(directory .. "/lualib/sprotoparser.lua"))()

local BUILTIN <const> = { "integer", "boolean", "string", "binary", "double" }
local INTEGERS <const> = {
    0, 1, -1, 0x7ffe, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, -0x80000000, -0x80000001,
    math.maxinteger, math.mininteger, 255, 65536,
}

-- A random schema: its text, and its types.
local function random_schema()
    local types, text = {}, {}
    local count = random(1, 6)
    for i = 1, count do
        types[i] = { name = "T" .. i, fields = {} }
        local tag = -1
        for j = 1, random(0, 8) do
            tag = tag + (random(4) == 1 and random(1, 300) or 1)
            local field = { name = "f" .. j, tag = tag, array = random(3) == 1 }
            if random(3) == 1 then
                field.type = types[random(1, i)]
            else
                field.type = BUILTIN[random(#BUILTIN)]
                if field.type == "integer" and random(3) == 1 then
                    field.digits = random(0, 9)
                end
            end
            types[i].fields[j] = field
        end
    end
    for _, t in ipairs(types) do
        text[#text + 1] = "." .. t.name .. " {"
        for _, field in ipairs(t.fields) do
            local after = ""
            if field.digits then
                after = "(" .. field.digits .. ")"
            elseif field.array and type(field.type) == "table" then
                local elements = field.type.fields
                local key = elements[1]
                if key and not key.array and (key.type == "integer" or key.type == "string") then
                    if #elements == 2 and random(2) == 1 then
                        field.map, after = true, "()"
                    elseif random(2) == 1 then
                        field.key, after = key.name, "(" .. key.name .. ")"
                    end
                end
            end
            local name = type(field.type) == "table" and field.type.name or field.type
            text[#text + 1] = ("  %s %d : %s%s%s # note"):format(field.name, field.tag,
                field.array and "*" or "", name, after)
        end
        text[#text + 1] = "}"
    end
    for i = 1, random(0, 4) do
        text[#text + 1] = ("p%d %d {"):format(i, i * random(1, 3) * 7 + i)
        if random(2) == 1 then
            text[#text + 1] = "request T" .. random(count)
        end
        if random(2) == 1 then
            text[#text + 1] = "response " .. (random(2) == 1 and "nil" or "T" .. random(count))
        end
        text[#text + 1] = "}"
    end
    return table.concat(text, "\n"), types
end

local function random_string()
    local bytes = {}
    for i = 1, random(0, random(10) == 1 and 3000 or 20) do
        bytes[i] = string.char(random(3) == 1 and 0 or random(0, 255))
    end
    return table.concat(bytes)
end

local random_struct

local function random_value(field, depth)
    local kind = field.type
    if type(kind) == "table" then
        return random_struct(kind, depth + 1)
    elseif random(200) == 1 then
        return ({ "text", 1.5, true, {} })[random(4)]
    elseif kind == "integer" then
        if field.digits then
            return random(2) == 1 and random(-1000, 1000) / 7 or random(-1000000, 1000000)
        end
        return INTEGERS[random(#INTEGERS + 6)] or random(-100, 100000)
    elseif kind == "boolean" then
        return random(2) == 1
    elseif kind == "double" then
        return ({ 0.0, -0.0, 1.5, -1e300, math.huge, 0.1, 3 })[random(7)]
    end
    return random_string()
end

function random_struct(t, depth)
    local value = {}
    for _, field in ipairs(t.fields) do
        if random(4) > 1 and depth < 3 then
            if field.array then
                local array = {}
                for i = 1, random(0, random(20) == 1 and 300 or 4) do
                    local element = random_value(field, depth)
                    if field.map then
                        local key, content = element[field.type.fields[1].name], element[field.type.fields[2].name]
                        if key ~= nil and content ~= nil then
                            array[key] = content
                        end
                    elseif field.key then
                        local key = element[field.key]
                        if key ~= nil then
                            array[key] = element
                        end
                    else
                        array[i] = element
                    end
                end
                value[field.name] = random(300) == 1 and 5 or array
            else
                value[field.name] = random_value(field, depth)
            end
        end
    end
    return value
end

local function same(a, b)
    if type(a) == "table" and type(b) == "table" then
        for k, v in pairs(a) do
            if not same(v, b[k]) then
                return false
            end
        end
        for k in pairs(b) do
            if a[k] == nil then
                return false
            end
        end
        return true
    elseif math.type(a) == "float" and math.type(b) == "float" then
        return string.pack("n", a) == string.pack("n", b)
    end
    return a == b and math.type(a) == math.type(b)
end

local function check(what, a, b, detail)
    if not same(a, b) then
        error(("%s, seed %d: %s, not %s\n%s"):format(what, seed, a, b, detail), 0)
    end
end

-- Calls a function of both modules; results or errors are the same.
local function both(name, detail, their_arguments, ...)
    local our_results = table.pack(pcall(ours[name], ...))
    local their_results = table.pack(pcall(theirs[name], table.unpack(their_arguments)))
    for _, results in ipairs { our_results, their_results } do
        if not results[1] then
            -- What is no table they may name by the type of something else.
            results[2] = results[2]:gsub("(with metamethods) %(.*", "%1")
        end
    end
    local results = (" %s\n %s\n"):format(tostring(our_results[2]), tostring(their_results[2]))
    check(name, our_results, their_results, results .. detail)
    return our_results[1], our_results[2]
end

local damaged, refused = 0, 0

local function damage(bytes)
    local at = random(#bytes)
    local kind = random(3)
    if kind == 1 then
        return bytes:sub(1, at - 1)
    elseif kind == 2 then
        return bytes:sub(1, at - 1) .. string.char(random(0, 40)) .. bytes:sub(at + 1)
    end
    return bytes:sub(1, at) .. random_string():sub(1, 10) .. bytes:sub(at + 1)
end

for _ = 1, rounds do
    local text, types = random_schema()
    local bundle = our_parser.parse(text)
    check("parse", bundle, their_parser.parse(text), text)
    local schema, their_schema = ours.newproto(bundle), theirs.newproto(bundle)
    for number = 0, 60 do
        for _, key in ipairs { number, "p" .. number } do
            local a = table.pack(ours.protocol(schema, key))
            local b = table.pack(theirs.protocol(their_schema, key))
            check("protocol", a.n, b.n, text)
            check("protocol", a[1], b[1], text)
            for i = 2, 3 do
                local null = ours.protocol == nil
                check("protocol", a[i] == nil, b[i] == nil, text)
                check("protocol", tostring(a[i]):match "0x0*$" or null, tostring(b[i]):match "0x0*$" or null, text)
            end
        end
    end
    for _, t in ipairs(types) do
        local kind = ours.querytype(schema, t.name)
        local their_kind = theirs.querytype(their_schema, t.name)
        both("default", text, { their_kind }, kind)
        for _ = 1, 10 do
            local value = random_struct(t, 0)
            local ok, bytes = both("encode", text, { their_kind, value }, kind, value)
            if ok then
                both("decode", text, { their_kind, bytes }, kind, bytes)
                local _, packed = both("pack", text, { bytes }, bytes)
                both("unpack", text, { packed }, packed)
                for _ = 1, 5 do
                    local other = damage(bytes)
                    -- A length that has no room for its own size may end the other one.
                    if other:find "[\xfc-\xff]\xff\xff\xff" then
                        pcall(ours.decode, kind, other)
                    else
                        damaged = damaged + 1
                        if not both("decode", text, { their_kind, other }, kind, other) then
                            refused = refused + 1
                        end
                    end
                    if packed ~= "" then
                        other = damage(packed)
                        both("unpack", text, { other }, other)
                    end
                end
            end
        end
    end
    ours.deleteproto(schema)
    theirs.deleteproto(their_schema)
end
print(("same in %d schemas, and of %d damaged messages %d are refused by both"):format(rounds, damaged, refused))

-- Time, in turns so that both see the same load.
local bundle = our_parser.parse [[
.Person {
    name 0 : string
    id 1 : integer
    email 2 : string
    .Phone { number 0 : string  type 1 : integer }
    phone 3 : *Phone
    scores 4 : *integer
    height 5 : double
    active 6 : boolean
}
.AddressBook { person 0 : *Person(id)  others 1 : *Person }
]]
local function person(id)
    return {
        name = "Alice " .. id, id = id, email = "alice@example.com",
        phone = { { number = "123456789", type = 1 }, { number = "87654321", type = 2 } },
        scores = { 1, 2, 3, 100000, 5 }, height = 1.75, active = true,
    }
end
local book = { person = { [1] = person(1), [2] = person(2) }, others = { person(3), person(4) } }
local small = { name = "Alice", id = 10000 }

local function measure(what, name, type, arguments)
    local best = { math.huge, math.huge }
    local schemas = { ours.newproto(bundle), theirs.newproto(bundle) }
    for _ = 1, 7 do
        for i, core in ipairs { ours, theirs } do
            local f = core[name]
            local first = type and core.querytype(schemas[i], type) or arguments
            local second = type and arguments
            local start = os.clock()
            for _ = 1, 20000 do
                f(first, second)
            end
            best[i] = math.min(best[i], os.clock() - start)
        end
    end
    print(("%-14s %.2f times as fast (%.2f us)"):format(what, best[2] / best[1], best[1] / 20000 * 1e6))
end

local schema = ours.newproto(bundle)
for what, case in pairs { book = { "AddressBook", book }, small = { "Person", small } } do
    local bytes = ours.encode(ours.querytype(schema, case[1]), case[2])
    local packed = ours.pack(bytes)
    measure("encode " .. what, "encode", case[1], case[2])
    measure("decode " .. what, "decode", case[1], bytes)
    -- pack has no second argument; a string needs no size.
    measure("pack " .. what, "pack", nil, bytes)
    measure("unpack " .. what, "unpack", nil, packed)
end
require "skynet.core".command "ABORT"

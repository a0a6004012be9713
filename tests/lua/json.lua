--- skynet.json: values there and back, and what is refused.

local skynet = require "skynet"
local json = require "skynet.json"
local print = require "print_line"
local same = require "same"
local check = require "socket_check"

local equal, fails = check.equal, check.fails

local function values()
    local value = {
        text = "a\0\"\\\n\u{20ac}",
        integer = math.mininteger,
        float = 0.1,
        whole = 3.0,
        yes = true,
        no = false,
        nothing = json.null,
        list = { 1, "two", { 3 }, {} },
        object = { [""] = {}, ["key with space"] = "" },
    }
    assert(same(json.decode(json.encode(value)), value), "what was encoded is decoded")
    equal(json.encode(json.decode '[1,1.0,"x",null,true,[],{}]'), '[1,1.0,"x",null,true,[],{}]', "a text there and back")
    equal(json.encode "text", '"text"', "a string alone")
    equal(json.encode(nil), "null", "nil")
    equal(json.decode " null ", json.null, "null")
    -- It stays what it is in a message between services.
    equal(skynet.unpack(skynet.pack(json.null)), json.null, "null in a message")
    equal(math.type(json.decode "9223372036854775808"), "float", "no Lua integer")
    equal(json.decode '{"a":1,"a":2}'.a, 2, "the last of a name")
end

local function empty()
    equal(json.encode {}, "{}", "an empty table")
    equal(json.encode(json.array()), "[]", "a new array")
    equal(json.encode(json.array {}), "[]", "a table marked as an array")
    equal(json.encode { list = json.decode "[]", object = json.decode "{}" } == '{"list":[],"object":{}}'
        or json.encode { list = json.decode "[]", object = json.decode "{}" } == '{"object":{},"list":[]}',
        true, "empty ones are what they were")
    local list = { "x" }
    equal(json.array(list), list, "array returns its argument")
end

local function refused()
    fails("json: a string is not UTF-8", json.encode, "\xff")
    fails("json: a string is not UTF-8", json.encode, { ["\xff"] = 1 })
    fails("json: a number is not finite", json.encode, 0 / 0)
    fails("json: a number is not finite", json.encode, { math.huge })
    fails("json: a function cannot be encoded", json.encode, { print })
    fails("json: a userdata cannot be encoded", json.encode, io.stdout)
    fails("json: a table's numbers are not 1 to its length", json.encode, { [2] = 1 })
    -- With a gap, and another key that makes up for it in number.
    for _, key in ipairs { 0.5, 0, -1, 100 } do
        local list = { 1, 2, 3, 4, 5, 6, 7, 8, 9 }
        list[key], list[1] = "lost", nil
        fails("json: a table's numbers are not 1 to its length", json.encode, list)
    end
    fails("json: a table has numbers and other keys", json.encode, { 1, a = 1 })
    fails("json: an object's key is no string", json.encode, { [true] = 1 })
    fails("value expected", json.encode)
    local loop = {}
    loop[1] = loop
    fails("json: tables are too deep", json.encode, loop)
    fails("string expected", json.decode, {})
    fails("table expected", json.array, 1)
    for _, text in ipairs { "", "[", "[1,]", "{1:2}", "nul", "'a'", "1 2", '"\xff"', '"\\ud800"', "1e999",
        ("["):rep(128) .. ("]"):rep(128), ("["):rep(1 << 20), '{"a":' } do
        fails("json: ", json.decode, text)
    end
    assert(json.decode(("["):rep(127) .. ("]"):rep(127)), "127 levels")
    equal(json.encode(json.decode(("["):rep(127) .. ("]"):rep(127))), ("["):rep(127) .. ("]"):rep(127), "127 levels")
end

-- What errors leave behind is collected.
local function leaks()
    local text = '["' .. ("x"):rep(1 << 20) .. '",'
    local memory = require "skynet.memory"
    for _ = 1, 20 do
        pcall(json.decode, text .. "}")
        pcall(json.encode, { ("x"):rep(1 << 20), print })
    end
    collectgarbage()
    collectgarbage()
    local before = memory.total()
    for _ = 1, 200 do
        pcall(json.decode, text .. "}")
        pcall(json.encode, { ("x"):rep(1 << 20), print })
        collectgarbage()
    end
    collectgarbage()
    local more = memory.total() - before
    assert(more < 50 << 20, "200 errors have left " .. more .. " bytes")
end

check.main {
    { "values", values },
    { "empty", empty },
    { "refused", refused },
    { "leaks", leaks },
}

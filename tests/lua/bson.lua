--- bson as programs use it, hostile documents, and its errors.

local skynet = require "skynet.manager"
local print = require "print_line"
local bson = require "bson"

local function fails(text, func, ...)
    local ok, why = pcall(func, ...)
    assert(not ok and why:find(text, 1, true), why)
end

local function round()
    local id = bson.objectid()
    assert(#id == 14 and id ~= bson.objectid())
    local document = bson.encode {
        number = 1, large = 1 << 40, real = 0.5, yes = true, text = "text", list = { 1, { x = 2 } },
        null = bson.null, id = id, binary = bson.binary "\0\1", date = bson.date(12),
    }
    local t = document:decode()
    assert(t.number == 1 and t.large == 1 << 40 and t.real == 0.5 and t.yes and t.text == "text")
    assert(t.list[1] == 1 and t.list[2].x == 2 and t.null == bson.null and t.id == id)
    assert(select(2, bson.type(t.binary)) == "\0\1" and select(2, bson.type(t.date)) == 12)
    local name, digits = bson.type(id)
    assert(name == "objectid" and bson.objectid(digits) == id)
    assert(#tostring(document) == #document)
    assert(bson.encode({ inner = document }):decode().inner.number == 1)
    assert(bson.decode(bson.to_lightuserdata(document)).text == "text")
    document:makeindex()
    document.number = 5
    assert(document:decode().number == 5)
    assert(tostring(bson.encode_order("b", 1, "a", 2)) == "\19\0\0\0\16b\0\1\0\0\0\16a\0\2\0\0\0\0")
end

local function errors()
    fails("call makeindex first", function() bson.encode({ x = 1 }).x = 2 end)
    fails("bad argument #1", bson.encode)
    fails("bad argument #1", bson.type, print)
    fails("bad argument #1", bson.objectid, "short")
    fails("Invalid ordered dict", bson.encode_order, "x")
    fails("Argument 3 need a string", bson.encode_order, "x", 1, {}, 1)
    fails("Invalid value type : function", bson.encode, { x = print })
    fails("Invalid utf8 string", bson.encode, { x = "\xff" })
    fails("contains a zero", bson.encode, { ["x\0y"] = 1 })
    fails("__len should not be negative", bson.encode, { x = setmetatable({}, { __len = function() return -1 end }) })
    local deep = {}
    deep.x = deep
    fails("Too depth while encoding bson", bson.encode, deep)
    fails("failing", bson.encode, { x = setmetatable({}, { __pairs = function() error "failing" end }) })
    local document = bson.encode { x = 1 }
    for _ = 1, 5 do
        for _ = 1, 100 do
            document = bson.encode { x = document }
        end
    end
    assert(document:decode())
    for _ = 1, 100 do
        document = bson.encode { x = document }
    end
    fails("Too depth while decoding bson", bson.decode, document)
    assert(bson.decode(nil) == nil and bson.decode("text") == nil)
    fails("bad argument #1", bson.decode, io.stdout)
    fails("Invalid bson document", bson.encode, { x = io.stdout })
end

local function messages()
    local driver = require "skynet.mongo.driver"
    local document = bson.encode { ok = 1 }
    local message = driver.op_msg(7, 0, document)
    assert(driver.length(message) == #message - 4)
    -- Its own identifier, in the place of the one that it answers.
    local answer = message:sub(5, 8) .. message:sub(5, 8) .. message:sub(13)
    local succ, id, address = driver.reply(answer)
    assert(succ == true and id == 7 and bson.decode(address).ok == 1)
    assert(driver.reply "short" == false)
    fails(">1 section", driver.reply, answer:sub(1, -2))
    fails("bad argument #1", driver.length, "\255\255\255\255")
    fails("bad argument #1", driver.length, "\0")
    fails("bad argument #3", driver.op_msg, 1, 0, nil)
end

--- Any bytes where a document should be end in a table or an error.
local function hostile()
    local driver = require "skynet.mongo.driver"
    local document = bson.encode {
        number = 1, real = 0.5, yes = true, text = "text", list = { 1, { x = 2 }, { 3 } }, id = bson.objectid(),
        binary = bson.binary "x", date = bson.date(12), regex = bson.regex("a", "i"), code = "\0\13\2\0\0\0x\0",
    }
    local head = driver.op_msg(1, 0, document):sub(5, 21)
    local body = tostring(document):sub(5)
    local good, bad = 0, 0
    for _ = 1, 20000 do
        local bytes = body
        for _ = 1, math.random(3) do
            local at = math.random(#bytes)
            local new = math.random(4) == 1 and "" or string.char(math.random(0, 255))
            bytes = bytes:sub(1, at - 1) .. new .. bytes:sub(at + 1)
        end
        local answer = head .. string.pack("<i4", #bytes + 4) .. bytes
        local _, _, address = driver.reply(answer)
        local ok, result = pcall(bson.decode, address)
        if ok then
            assert(type(result) == "table")
            good = good + 1
        else
            assert(result:find "Invalid", result)
            bad = bad + 1
        end
    end
    assert(good > 0 and bad > 0)
end

skynet.start(function()
    local ok, err = xpcall(function()
        round()
        errors()
        messages()
        hostile()
    end, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

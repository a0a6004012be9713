-- What sproto does with bad texts, tables and bytes.

local skynet = require "skynet.manager"
local core = require "sproto.core"
local sproto = require "sproto"
local sprotoparser = require "sprotoparser"
local sprotoloader = require "sprotoloader"
local print = require "print_line"

local function raises(expected, f, ...)
    local ok, err = pcall(f, ...)
    assert(not ok, "no error: " .. expected)
    assert(tostring(err):find(expected, 1, true), ("%s, not %s"):format(err, expected))
end

-- Every error of the parser names its text and line.
for text, expected in pairs {
    [".a {\n  x 0 integer\n}"] = "syntax error at [t] line (2): ':' expected",
    [".a {\n  x : integer\n}"] = "syntax error at [t] line (2): tag expected",
    [".a {\n\n  x 0 : 5\n}"] = "syntax error at [t] line (3): type expected",
    [".a {\n x 0 : integer(\n}"] = "syntax error at [t] line (3): ')' expected",
    [".a {"] = "syntax error at [t] line (1): field expected",
    ["\n%"] = "syntax error at [t] line (2): type or protocol expected",
    [". {}"] = "syntax error at [t] line (1): name of a type expected",
    ["p 1 {\n reply a }"] = "syntax error at [t] line (2): request, response or '}' expected",
    [".a { x 0 : integer\n x 1 : integer }"] = "redefine x in type a at [t] line (2)",
    [".a { x 0 : integer\n y 0 : integer }"] = "redefine tag 0 in type a at [t] line (2)",
    [".a {}\r\n# note\r\n.a {}"] = "redefined a at [t] line (3)",
    [".a { .b {}\n .b {} }"] = "redefined a.b at [t] line (2)",
    [".a {} p 1 {}\np 2 {}"] = "redefined p at [t] line (2)",
    [".a {} p 1 {}\nq 1 {}"] = "redefined protocol tag 1 at q at [t] line (2)",
    [".a {}\np 1 { request b }"] = "Undefined request type b in protocol p at [t] line (2)",
    [".a {}\np 1 { response integer }"] = "Undefined response type integer in protocol p at [t] line (2)",
    [".a {\n b 0 : c }"] = "Undefined type c in type a at [t] line (2)",
    [".a {} p 1 { request a\nrequest a }"] = "redefine request in protocol p at [t] line (2)",
    [".a { x 40000 : integer }"] = "tag is larger than 32766 at [t] line (1)",
    [".a { x 0 : *integer(key) }"] = "Invalid map index :key of x in type a at [t] line (1)",
    [".a { x 0 : string(2) }"] = "digits of x in type a, which is no integer at [t] line (1)",
    [".a { x 0 : integer y 1 : *a() z 2 : a }"] = "Invalid map definition: y, must only have two fields at [t] line (1)",
    [".a { x 0 : integer y 1 : *a(w) }"] = "Invalid map index :w at [t] line (1)",
    [".a { x 0 : *a y 1 : *a(x) }"] = "Invalid map index :x at [t] line (1)",
    ["p 1 {}"] = "protocols without any type at [t] line (1)",
} do
    raises(expected, sprotoparser.parse, text, "t")
end
raises("text is a nil", sprotoparser.parse)
assert(sprotoparser.parse "" == "\0\0" and sprotoparser.parse " # only a note" == "\0\0")

-- Names are looked up from the inside out, and blanks are free.
local scopes = sproto.parse [[.a{.b{.c{x 0:integer}y 0:c}z 0:b w 1:a.b.c}.c{v 0:string}]]
assert(scopes:decode("a", scopes:encode("a", { z = { y = { x = 5 } }, w = { x = 6 } })).z.y.x == 5)
assert(scopes:decode("c", scopes:encode("c", { v = "text" })).v == "text")

local sp = sproto.parse [[
.item { id 0 : integer  text 1 : string }
.pair { key 0 : double  value 1 : string }
.node {
    next 0 : node  list 1 : *integer  items 2 : *item(id)  map 3 : *pair()  text 4 : string
    nodes 5 : *node
}
]]

-- Names and types that are not there.
raises("type not found", sp.encode, sp, "none", {})
raises("none not found", sp.queryproto, sp, "none")
raises("type package not found", sp.host, sp)
-- A peer that writes the tag of a protocol in other ways is not answered, and no note is taken of it.
local tagged = sproto.parse ".package { type 0 : integer } p 1 {}"
local tagged_host = tagged:host "package"
assert(select(2, tagged_host:dispatch(tagged:pencode("package", { type = 1 }))) == "p")
for high = 1, 3 do
    local tag = high << 32 | 1
    raises(tag .. " not found", tagged_host.dispatch, tagged_host, tagged:pencode("package", { type = tag }))
    assert(rawget(tagged.__pcache, tag) == nil and not tagged:exist_proto(tag))
end
raises("no bundle", sproto.new, "\1\0")
raises("no bundle", sprotoloader.save, "")
raises("Can't open sproto file", sprotoloader.register, "./no/such.sproto", 1)
raises("Invalid global slot index -1", core.loadproto, -1)
raises("Need a sproto object", core.querytype, nil, "x")
raises("Should be number or string", core.protocol, sp.__cobj)
raises("Invalid type", scopes.default, sproto.parse ".a {} p 1 {}", "p", "OTHER")
assert(core.encode(nil, nil) == "" and select("#", core.decode(nil, "x")) == 0)

-- Depth, in both directions.
local deep, message = {}, "\0\0"
for _ = 1, 63 do
    deep = { next = deep }
    message = "\1\0\0\0" .. string.pack("<s4", message)
end
assert(sp:encode("node", deep) == message and sp:decode("node", message).next.next)
raises("too deep", sp.encode, sp, "node", { next = { next = deep } })
local cycle = {}
cycle.next = cycle
raises("too deep", sp.encode, sp, "node", cycle)
for _ = 1, 2 do
    message = "\1\0\0\0" .. string.pack("<s4", message)
end
raises("too deep", sp.decode, sp, "node", message)

-- Size.
raises("object is too large (>16777216)", sp.encode, sp, "node", { text = ("x"):rep(0x1000000) })
raises("object is too large (>16777216)", core.pack, ("x"):rep(0x1000000))
raises("object is too large (>16777216)", core.unpack, ("\0"):rep(0x200001))
assert(#core.unpack(("\0"):rep(0x200000)) == 0x1000000)
local endless = setmetatable({}, { __index = function(_, i) return i end })
raises("object is too large", sp.encode, sp, "node", { list = endless })

-- What failed messages took is given back.
local function resident()
    local file <close> = assert(io.open "/proc/self/statm")
    return tonumber(file:read "a":match "%d+ (%d+)") * 4096
end
local before = resident()
local broken = { text = ("x"):rep(0x400000), nodes = { 5 } }
for _ = 1, 200 do
    raises("attempt to index", sp.encode, sp, "node", broken)
end
assert(resident() - before < 200 * 1024 * 1024, "the messages are still there")

-- Keys and values that are missing, or are no keys.
local function record(...)
    return string.pack("<I2", select("#", ...)) .. string.pack(("<I2"):rep(select("#", ...)), ...)
end
local function items(tag, content)
    return record(tag * 2 - 1, 0) .. string.pack("<s4", string.pack("<s4", content))
end
raises("Can't find main index (tag=0) in [items]", sp.decode, sp, "node", items(2, "\0\0"))
raises("Can't find key field in [map]", sp.decode, sp, "node", items(3, "\0\0"))
local nan = string.pack("<s4", string.pack("<d", 0 / 0))
raises("Can't find value field in [map]", sp.decode, sp, "node", items(3, record(0) .. nan))
raises("index is NaN", sp.decode, sp, "node", items(3, record(0, 0) .. nan .. string.pack("<s4", "v")))
-- An entry without a value does not take the one of the entry before it.
local entry = record(0, 0) .. string.pack("<s4d", "12345678", 0):sub(1, 12) .. string.pack("<s4", "v")
local half = record(0) .. string.pack("<s4", "12345679")
local both = string.pack("<s4", string.pack("<s4", entry) .. string.pack("<s4", half))
raises("Can't find value field", sp.decode, sp, "node", record(5, 0) .. both)

-- A table is filled; pointers have sizes.
local target = { old = 1 }
local bytes = sp:encode("node", { text = "t" })
assert(sp:decode("node", bytes, target) == target and target.text == "t" and target.old == 1)
local pointer, size = skynet.pack "some text"
assert(#core.pack(pointer, size) > 0)
raises("size out of range", core.pack, pointer, -1)
raises("size out of range", core.unpack, pointer, 1 << 31)
skynet.trash(pointer, size)
raises("Need a string or userdata", core.pack, 5)

-- Metamethods encode, fail and collect while another message is being written.
local inner = sp:encode("item", { id = 1, text = ("i"):rep(5000) })
local busy = setmetatable({}, {
    __index = function(_, name)
        if name == "text" then
            collectgarbage()
            pcall(sp.encode, sp, "item", { id = {} })
            assert(sp:encode("item", { id = 1, text = ("i"):rep(5000) }) == inner)
            return "outer"
        end
    end,
})
for _ = 1, 3 do
    assert(sp:decode("node", sp:encode("node", { list = { 1, 2, 3 }, nodes = { busy, busy } })).nodes[2].text == "outer")
end
local paired = setmetatable({}, {
    __pairs = function()
        return function(_, last)
            if not last or last < 3 then
                local key = (last or 0) + 1
                return key, { id = key, text = "t" .. key }
            end
        end
    end,
})
assert(sp:decode("node", sp:encode("node", { items = paired })).items[3].text == "t3")

-- Random and damaged bytes: a result or an error.
math.randomseed(42)
local random = math.random
local whole = sp:encode("node", {
    next = { text = "text" }, list = { 1, 2, 1 << 40 }, items = { [5] = { id = 5, text = "five" } },
    map = { [1.5] = "x" }, text = ("\0x"):rep(20), nodes = { {}, { list = {} } },
})
local packed = core.pack(whole)
local bundle = sprotoparser.parse ".a { x 0 : integer(2) y 1 : *a(x) } .b { k 0 : string v 1 : *b() } p 1 { request a }"
local refused = 0
for _ = 1, 30000 do
    local source = ({ whole, packed, bundle })[random(3)]
    local damaged = {}
    for i = 1, random(0, #source) do
        damaged[i] = source:sub(i, i)
    end
    for _ = 1, random(0, 3) do
        damaged[random(#damaged + 1)] = string.char(random(0, 255))
    end
    local text = table.concat(damaged)
    if not pcall(sp.decode, sp, "node", text) then
        refused = refused + 1
    end
    pcall(core.unpack, text)
    local schema = core.newproto(text)
    if schema then
        for tag = 0, 2 do
            core.protocol(schema, tag)
        end
        local a = core.querytype(schema, "b")
        if a then
            core.default(a)
            pcall(core.decode, a, whole)
            pcall(core.encode, a, { k = "k", v = { k = { { k = "l" } } } })
        end
        core.deleteproto(schema)
    end
end
assert(refused > 1000)
print("passed")
skynet.start(skynet.abort)

-- The modules of sproto as a service sees them. It prints the lines that are in
-- sproto_module.expected, here and on the reference.

local skynet = require "skynet.manager"
local core = require "sproto.core"
local sproto = require "sproto"
local sprotoparser = require "sprotoparser"
local sprotoloader = require "sprotoloader"
local print = require "print_line"

local SCHEMA <const> = [[
# Every kind of field.
.package { type 0 : integer session 1 : integer ud 2 : string }
.Pair { key 0 : string value 3 : *integer }
.Person {
    .Phone { number 0 : string  type 1 : integer }
    name 0 : string
    id 2 : integer
    phone 3 : *Phone
    height 5 : integer(2)
    photo 6 : binary
    ratio 300 : double
    friends 301 : *Person(id)
    notes 302 : *Pair()
    active 303 : boolean
    integers 304 : *integer
    doubles 305 : *double
    booleans 306 : *boolean
    strings 307 : *string
    decimals 308 : *integer(3)
    boss 309 : Person
}
.Empty {}
ping 1 { request Person response { ok 0 : boolean } }
say 2 { request { text 0 : string } }
tick 4 {}
bye 9 { response nil }
]]

local function hex(bytes)
    return (bytes:gsub(".", function(char) return ("%02x"):format(char:byte()) end))
end

-- A value as text, keys in order.
local function text(value)
    if type(value) ~= "table" then
        if math.type(value) == "float" then
            return ("%.17g (float)"):format(value)
        end
        return (("%q"):format(value):gsub("[\128-\255]", function(char) return "\\" .. char:byte() end))
    end
    local keys, parts = {}, {}
    for key in pairs(value) do
        keys[#keys + 1] = key
    end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for i, key in ipairs(keys) do
        parts[i] = tostring(key) .. " = " .. text(value[key])
    end
    return "{ " .. table.concat(parts, ", ") .. " }"
end

local bundle = sprotoparser.parse(SCHEMA)
print("bundle", hex(bundle))
sprotoparser.dump(bundle:sub(1, 41))
sprotoparser.dump(bundle:sub(1, 16))
core.dumpproto(core.newproto(bundle))
local sp = sproto.new(bundle)

local values = {
    {},
    { name = "" },
    { id = 0x7ffe },
    { id = 0x7fff },
    { id = -1, name = "a\0b" },
    { id = 0x7fffffff },
    { id = 0x80000000 },
    { id = math.mininteger },
    { id = "12" },
    { id = 3.0 },
    { height = 1.755, ratio = -0.0 },
    { height = -123456789.019, active = true },
    { phone = {} },
    { phone = { { number = "1", type = 2 }, {}, { type = -3 } } },
    { integers = {} },
    { integers = { 1, -2, 3 } },
    { integers = { 1, -2, 1 << 40, 4 } },
    { integers = { 1 << 40 } },
    { doubles = { 1, 2.5 }, booleans = { true, false, true }, strings = { "", "x", "yz" } },
    { decimals = { 0.001, 2, "1.5" } },
    { friends = { [7] = { id = 7, boss = { name = "b" } } } },
    { notes = { only = { 1, 2 } } },
    { boss = { boss = { boss = { id = 1 } } }, photo = ("\0"):rep(20) .. ("\255"):rep(20) },
    { name = 5 },
    { active = 1 },
    { id = "x" },
    { id = 1.5 },
    { strings = { "a", 3 } },
    { phone = 3 },
}

for _, value in ipairs(values) do
    print("value", text(value))
    local ok, bytes = pcall(sp.encode, sp, "Person", value)
    if ok then
        local back, size = sp:decode("Person", bytes .. "more")
        print("", hex(bytes), size, text(back))
        local packed = sp.pack(bytes)
        print("", hex(packed), hex(sp.unpack(packed)), packed == sp:pencode("Person", value))
    else
        print("", (bytes:gsub("^.-:%d+: ", "")))
    end
end

for _, length in ipairs { 0, 1, 7, 8, 9, 16, 17, 2047, 2048, 2049, 2056, 5000 } do
    for _, unit in ipairs { "\0", "\1", "\1\2\3\4\5\6\7\0", "\1\2\3\4\5\6\7\8\1\2\3\4\5\6\0\0", "\0\0\0\0\0\0\0\0\1" } do
        local bytes = unit:rep(length // #unit + 1):sub(1, length)
        local packed = core.pack(bytes)
        local sum = 0
        for i = 1, #packed do
            sum = (sum * 31 + packed:byte(i)) % 0x7fffffff
        end
        print("pack", length, #unit, #packed, sum, #core.unpack(packed), hex(packed:sub(1, 24)))
    end
end

for _, bytes in ipairs { "\255", "\255\0", "\255\1\0\0", "\3\1", "\0" } do
    local ok, result = pcall(core.unpack, bytes)
    print("unpack", hex(bytes), ok and hex(result) or result)
end

for _, bytes in ipairs {
    "", "\0", "\1\0", "\0\0", "\1\0\0\0", "\1\0\0\0\1\0\0\0", "\1\0\0\0\4\0\0\0abc", "\3\0\5\0\4\0\0\0\0\0\0\0",
    "\1\0\4\0", "\2\0\1\0\0\0\3\0\0\0abc", "\2\0\5\0\0\0\1\0\0\0x", "\2\0\5\0\0\0\6\0\0\0\2\0\0\0\0\0",
    "\2\0\255\255\2\0", "\2\0\5\0\2\0",
} do
    local ok, value, size = pcall(sp.decode, sp, "Person", bytes)
    print("decode", hex(bytes), ok and text(value) or value:gsub("^.-:%d+: ", ""), size)
end

print("default", text(sp:default "Person"), text(sp:default("ping", "RESPONSE")), sp:default("tick", "REQUEST"))
for _, name in ipairs { "ping", "say", "tick", "bye", "nothing" } do
    local exists = sp:exist_proto(name)
    local p = exists and sp:queryproto(name) or {}
    print("protocol", name, exists, p.tag, type(p.request), type(p.response))
end
print("exist", sp:exist_type "Person", sp:exist_type "Person.Phone", sp:exist_type "Phone", sp:exist_proto(9))
print("by tag", sp:queryproto(4).name, sp:queryproto(4) == sp:queryproto "tick")
print("request", hex((sp:request_encode("say", { text = "hi" }))), select(2, sp:request_encode("say", {})))
print("request", sp:request_decode("tick", ""))
print("response", #sp:response_encode("bye"), sp:response_decode("bye", ""))

local server = sp:host "package"
local client = sp:host()
local request = client:attach(sp)
for _, call in ipairs { { "ping", { id = 5 }, 1, "u" }, { "say", { text = "t" } }, { "bye", nil, 3 }, { "tick", nil, 4 } } do
    local message = request(table.unpack(call, 1, 4))
    local kind, name, arguments, response, ud = server:dispatch(message)
    print("dispatch", hex(message), kind, name, arguments and text(arguments), type(response), ud)
    if response then
        local answer = response(name == "ping" and { ok = true } or nil, "v")
        local what, session, result, more = client:dispatch(answer)
        print("", hex(answer), what, session, result and text(result), more)
    end
end

sprotoloader.save(bundle, 3)
print("loaded", hex(sprotoloader.load(3):encode("Person", { id = 9 })))
print("nil slot", pcall(core.loadproto, 5))
print("bad slot", pcall(core.saveproto, nil, 16))
print("no bundle", core.newproto "\1\0\0", core.newproto "\1\0\2\0")

skynet.start(skynet.abort)

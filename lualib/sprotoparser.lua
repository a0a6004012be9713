-- The language of sproto's schemas: a parser by recursive descent, and a writer of
-- the bundles that sproto.core reads. What a bundle holds says
-- lualib-src/src/sproto/schema.rs.

local find, match, sub = string.find, string.match, string.sub
local concat = table.concat

-- Numbers of the built-in types.
local BUILTIN <const> = { integer = 0, boolean = 1, string = 2, binary = 2, double = 3 }

-- The largest number that fits into a record.
local MAX_NUMBER <const> = 0x7ffe

local parser = {}

---@class sprotoparser.source
---@field text string
---@field name string
---@field pos integer what is before it is parsed

---@param source sprotoparser.source
---@param pos? integer
---@return integer
local function line_of(source, pos)
    local _, newlines = sub(source.text, 1, (pos or source.pos) - 1):gsub("\n", "")
    return newlines + 1
end

---@param source sprotoparser.source
---@param message string
---@param pos? integer
local function fail(source, message, pos)
    error(("%s at [%s] line (%d)"):format(message, source.name, line_of(source, pos)), 0)
end

---@param source sprotoparser.source
---@param expected string
local function syntax_error(source, expected)
    local line = line_of(source)
    error(("syntax error at [%s] line (%d): %s expected"):format(source.name, line, expected), 0)
end

-- Passes over blanks, ends of lines and comments.
local function skip(source)
    local text, pos = source.text, source.pos
    while true do
        pos = match(text, "^[ \t\n]*()", pos)
        local char = sub(text, pos, pos)
        if char == "#" then
            pos = find(text, "\n", pos, true) or #text + 1
        elseif char == "\r" and sub(text, pos + 1, pos + 1) == "\n" then
            pos = pos + 2
        else
            source.pos = pos
            return
        end
    end
end

-- Takes what a pattern matches here: its capture, and the position as the last one.
local function take(source, pattern)
    local value, pos = match(source.text, pattern, source.pos)
    if value then
        source.pos = pos
    end
    return value
end

-- Takes a character that may be there.
local function accept(source, char)
    if sub(source.text, source.pos, source.pos) == char then
        source.pos = source.pos + 1
        return true
    end
    return false
end

local function expect(source, char)
    if not accept(source, char) then
        syntax_error(source, "'" .. char .. "'")
    end
end

local function word(source, expected)
    return take(source, "^([A-Za-z_][A-Za-z0-9_]*)()") or syntax_error(source, expected)
end

local function typename(source)
    local name = word(source, "type")
    while true do
        local part = take(source, "^(%.[A-Za-z_][A-Za-z0-9_]*)()")
        if not part then
            return name
        end
        name = name .. part
    end
end

local function number(source, expected)
    local start = source.pos
    local value = tonumber(take(source, "^([0-9]+)()") or syntax_error(source, expected))
    if value > MAX_NUMBER then
        fail(source, expected .. " is larger than " .. MAX_NUMBER, start)
    end
    return value
end

-- What stands in parentheses behind a type: a number, or the name of a key, which
-- may be empty. Only the first one counts.
local function parenthesis(source)
    local value
    while accept(source, "(") do
        skip(source)
        local inner
        if find(source.text, "^[0-9]", source.pos) then
            inner = number(source, "number of digits")
        else
            inner = take(source, "^([A-Za-z0-9_]*)()")
        end
        skip(source)
        expect(source, ")")
        value = value or inner
    end
    return value
end

---@class sprotoparser.field
---@field name string
---@field tag integer
---@field array boolean
---@field typename string
---@field key? string the name of its elements' key, "" for a map
---@field decimal? integer
---@field pos integer where it is defined

local struct

local function field(source, owner)
    local pos = source.pos
    local result = { pos = pos, name = word(source, "field") }
    skip(source)
    result.tag = number(source, "tag")
    skip(source)
    expect(source, ":")
    skip(source)
    result.array = accept(source, "*")
    result.typename = typename(source)
    local inner = parenthesis(source)
    if inner == nil then
        return result
    end
    if result.typename == "integer" and math.type(inner) then
        result.decimal = inner
    elseif result.array then
        if BUILTIN[result.typename] or math.type(inner) then
            fail(source, ("Invalid map index :%s of %s in type %s"):format(inner, result.name, owner), pos)
        end
        result.key = inner
    elseif math.type(inner) then
        fail(source, ("digits of %s in type %s, which is no integer"):format(result.name, owner), pos)
    end
    -- The key of what is no array means nothing.
    return result
end

-- A struct's body, as a type of the given name.
---@param source sprotoparser.source
---@param all { type: table<string, sprotoparser.field[]> }
---@param name string
function struct(source, all, name)
    local fields, names, tags = {}, {}, {}
    expect(source, "{")
    while true do
        skip(source)
        local pos = source.pos
        if accept(source, "}") then
            break
        elseif accept(source, ".") then
            local nested = name .. "." .. word(source, "name of a type")
            if all.type[nested] then
                fail(source, "redefined " .. nested, pos)
            end
            skip(source)
            all.type[nested] = struct(source, all, nested)
        else
            local new = field(source, name)
            if names[new.name] then
                fail(source, ("redefine %s in type %s"):format(new.name, name), pos)
            elseif tags[new.tag] then
                fail(source, ("redefine tag %d in type %s"):format(new.tag, name), pos)
            end
            names[new.name], tags[new.tag] = true, true
            fields[#fields + 1] = new
        end
    end
    table.sort(fields, function(a, b) return a.tag < b.tag end)
    return fields
end

---@class sprotoparser.protocol
---@field name string
---@field tag integer
---@field request? string the name of a type
---@field response? string
---@field confirm? boolean answered without content
---@field pos integer where it is defined

local function protocol(source, all)
    local result = { pos = source.pos, name = word(source, "type or protocol") }
    skip(source)
    result.tag = number(source, "tag")
    if all.protocol[result.name] then
        fail(source, "redefined " .. result.name, result.pos)
    end
    skip(source)
    expect(source, "{")
    while true do
        skip(source)
        local pos = source.pos
        if accept(source, "}") then
            return result
        end
        local part = take(source, "^(re[a-z]+)()")
        if part ~= "request" and part ~= "response" then
            source.pos = pos
            syntax_error(source, "request, response or '}'")
        end
        if result[part] then
            fail(source, ("redefine %s in protocol %s"):format(part, result.name), pos)
        end
        skip(source)
        if sub(source.text, source.pos, source.pos) == "{" then
            local name = result.name .. "." .. part
            all.type[name] = struct(source, all, name)
            result[part] = name
        else
            local name = typename(source)
            if name ~= "nil" then
                result[part] = name
            elseif part == "response" then
                result.confirm = true
            end
        end
    end
end

-- The name of the type that `name` means within the type `scope`.
local function resolve(types, scope, name)
    if BUILTIN[name] then
        return name
    end
    while scope do
        local full = scope .. "." .. name
        if types[full] then
            return full
        end
        scope = match(scope, "^(.+)%.[^.]+$")
    end
    return types[name] and name
end

-- Types and protocols of a text, every name resolved.
local function parse(source)
    local all = { type = {}, protocol = {} }
    local protocols = {}
    skip(source)
    while source.pos <= #source.text do
        local pos = source.pos
        if accept(source, ".") then
            local name = word(source, "name of a type")
            if all.type[name] then
                fail(source, "redefined " .. name, pos)
            end
            skip(source)
            all.type[name] = struct(source, all, name)
        else
            local new = protocol(source, all)
            all.protocol[new.name] = new
            protocols[#protocols + 1] = new
        end
        skip(source)
    end

    local tags = {}
    for _, p in ipairs(protocols) do
        if tags[p.tag] then
            fail(source, ("redefined protocol tag %d at %s"):format(p.tag, p.name), p.pos)
        end
        tags[p.tag] = true
        for _, part in ipairs { "request", "response" } do
            local name = p[part]
            if name and not all.type[name] then
                fail(source, ("Undefined %s type %s in protocol %s"):format(part, name, p.name), p.pos)
            end
        end
    end
    for name, fields in pairs(all.type) do
        for _, f in ipairs(fields) do
            local full = resolve(all.type, name, f.typename)
            if not full then
                fail(source, ("Undefined type %s in type %s"):format(f.typename, name), f.pos)
            end
            f.typename = full
        end
    end
    table.sort(protocols, function(a, b) return a.tag < b.tag end)
    return all.type, protocols
end

local SKIP <const> = "\1\0"
local DATA <const> = "\0\0"

-- A record with a number.
local function small(value)
    return string.pack("<I2", (value + 1) * 2)
end

local function data(bytes)
    return string.pack("<s4", bytes)
end

-- A message: its records, their number before them, and the data of some.
local function message(records, ...)
    return data(string.pack("<I2", #records) .. concat(records) .. concat({ ... }))
end

-- The tag of the field that is the key of an array's elements.
local function key_tag(source, f, elements)
    local key
    if f.key == "" then
        if #elements ~= 2 then
            fail(source, ("Invalid map definition: %s, must only have two fields"):format(f.name), f.pos)
        end
        key = elements[1]
    else
        for _, element in ipairs(elements) do
            if element.name == f.key then
                key = element
            end
        end
    end
    if not key or not BUILTIN[key.typename] then
        fail(source, "Invalid map index :" .. (key and key.name or f.key), f.pos)
    end
    return key.tag
end

local function pack_field(source, f, types, ids)
    local records = { DATA }
    local builtin = BUILTIN[f.typename]
    if builtin then
        local detail = f.typename == "binary" and 1 or f.decimal
        records[2] = small(builtin)
        records[3] = detail and small(detail) or SKIP
    else
        records[2] = SKIP
        records[3] = small(ids[f.typename])
    end
    records[4] = small(f.tag)
    if f.array then
        records[5] = small(1)
        if f.key then
            records[6] = small(key_tag(source, f, types[f.typename]))
            if f.key == "" then
                records[7] = small(1)
            end
        end
    end
    return message(records, data(f.name))
end

local function pack_type(source, name, types, ids)
    local fields = {}
    for i, f in ipairs(types[name]) do
        fields[i] = pack_field(source, f, types, ids)
    end
    if #fields == 0 then
        return message({ DATA }, data(name))
    end
    return message({ DATA, DATA }, data(name), data(concat(fields)))
end

local function pack_protocol(p, ids)
    local records = { DATA, small(p.tag) }
    if p.request or p.response or p.confirm then
        records[3] = p.request and small(ids[p.request]) or SKIP
        if p.response then
            records[4] = small(ids[p.response])
        elseif p.confirm then
            records[4] = SKIP
            records[5] = small(1)
        end
    end
    return message(records, data(p.name))
end

local function pack_group(source, types, protocols)
    local names, ids = {}, {}
    for name in pairs(types) do
        names[#names + 1] = name
    end
    if #names == 0 then
        if protocols[1] then
            fail(source, "protocols without any type", protocols[1].pos)
        end
        return "\0\0"
    end
    -- By name, so that a text makes the same bundle whenever it is parsed.
    table.sort(names)
    if #names > MAX_NUMBER then
        fail(source, "more types than " .. MAX_NUMBER)
    end
    for i, name in ipairs(names) do
        ids[name] = i - 1
    end
    local packed = {}
    for i, name in ipairs(names) do
        packed[i] = pack_type(source, name, types, ids)
    end
    local type_data = data(concat(packed))
    if #protocols == 0 then
        return "\1\0" .. DATA .. type_data
    end
    packed = {}
    for i, p in ipairs(protocols) do
        packed[i] = pack_protocol(p, ids)
    end
    return "\2\0" .. DATA .. DATA .. type_data .. data(concat(packed))
end

---Makes the bundle of a schema. What is wrong with the text is raised as an error
---that says the line.
---@param text string
---@param name? string what errors call the text
---@return string bundle
function parser.parse(text, name)
    if type(text) ~= "string" then
        error("sprotoparser.parse: text is a " .. type(text) .. ", not a string", 2)
    end
    local source = { text = text, name = name or "=text", pos = 1 }
    return pack_group(source, parse(source))
end

---Prints bytes in hexadecimal, 16 a line.
---@param bytes string
function parser.dump(bytes)
    for start = 1, #bytes + 1, 16 do
        local line = {}
        for i = start, math.min(start + 15, #bytes) do
            line[#line + 1] = ("%02X "):format(bytes:byte(i))
            if i - start == 7 then
                line[#line + 1] = "- "
            end
        end
        print(concat(line))
    end
end

return parser

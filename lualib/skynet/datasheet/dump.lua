--- Tables as one string, which `skynet.datasheet.core` reads in place. Keys are strings, or 1, 2, 3, … without a gap;
--- values are integers of 32 bits, reals of single precision, booleans, strings without zero bytes, and tables.
---
--- All numbers have 32 bits, little endian, and begin at offset 0 of what they are in:
---
---     document: offset of the strings, number of tables, offset of each table behind these numbers, tables, strings
---     table: number of values of 1, 2, 3, …; number of keys; a byte for each value's type, filled up to four bytes;
---            values of 1, 2, 3, …; keys, each with its value
---     value: integer; real; boolean; number of a table, from 0; offset of a string, which a zero byte ends
---
--- In what `diff` makes, the offset of a table that is gone is 0xffffffff.

local INTEGER <const>, REAL <const> = 1, 2
local BOOLEAN <const>, TABLE <const>, STRING <const> = 3, 4, 5

local HEADER <const> = 8
local WORD <const> = 4
local GONE <const> = 0xffffffff

local pack, unpack = string.pack, string.unpack
local tointeger = math.tointeger

local dump = {}

local function add_string(document, text)
    local place = document.places[text]
    if not place then
        place = document.size
        document.places[text] = place
        document.size = place + #text + 1
        table.insert(document.strings, text)
    end
    return pack("<I4", place)
end

local add_table

local function add_value(document, value)
    local kind = type(value)
    if kind == "number" then
        local integer = tointeger(value)
        if integer and integer >= -0x80000000 and integer <= 0x7fffffff then
            return INTEGER, pack("<i4", integer)
        end
        return REAL, pack("<f", value)
    elseif kind == "string" then
        return STRING, add_string(document, value)
    elseif kind == "boolean" then
        return BOOLEAN, value and "\0\0\0\1" or "\0\0\0\0"
    elseif kind == "table" then
        return TABLE, pack("<I4", add_table(document, value))
    end
    error("Unsupport value " .. tostring(value))
end

--- Adds a table and those in it; its number.
function add_table(document, content)
    local tables = document.tables
    local number = #tables
    -- It comes before those in it.
    tables[number + 1] = false
    local kinds, values, named = {}, {}, {}
    for i, value in ipairs(content) do
        local kind, bytes = add_value(document, value)
        kinds[i], values[i] = string.char(kind), bytes
    end
    local count = #values
    for key, value in pairs(content) do
        if type(key) == "string" then
            local name = add_string(document, key)
            local kind, bytes = add_value(document, value)
            table.insert(kinds, string.char(kind))
            table.insert(named, name .. bytes)
        else
            local at = tointeger(key)
            if not at or at < 1 or at > count then
                error(("datasheet: a key is neither a string nor one of 1 to %d: %s"):format(count, key))
            end
        end
    end
    tables[number + 1] = table.concat {
        pack("<I4I4", count, #named),
        table.concat(kinds),
        ("\0"):rep(-#kinds % WORD),
        table.concat(values),
        table.concat(named),
    }
    return number
end

--- A table as a document.
---@param root table
---@return string
function dump.dump(root)
    local document = { tables = {}, strings = {}, places = {}, size = 0 }
    add_table(document, root)
    local offsets, size = {}, 0
    for i, bytes in ipairs(document.tables) do
        offsets[i] = pack("<I4", size)
        size = size + #bytes
    end
    return table.concat {
        pack("<I4I4", HEADER + WORD * #offsets + size, #offsets),
        table.concat(offsets),
        table.concat(document.tables),
        table.concat(document.strings, "\0"),
        "\0",
    }
end

--- The number at an offset; an error outside of the document.
local function word(document, offset)
    return (unpack("<I4", document, offset + 1))
end

--- Where a table is: of its types, of its values, the end; and how many values it has in its array, and in all.
local function find_table(document, number)
    local count = word(document, WORD)
    local start = number < count and word(document, HEADER + WORD * number) or GONE
    if start == GONE then
        error(("datasheet: there is no table %d"):format(number))
    end
    start = start + HEADER + WORD * count
    local array, named = word(document, start), word(document, start + WORD)
    local kinds = start + 2 * WORD
    local values = kinds + (array + named + WORD - 1) // WORD * WORD
    local finish = values + WORD * (array + 2 * named)
    if finish > #document then
        error(("datasheet: table %d is cut off"):format(number))
    end
    return start, kinds, values, finish, array, array + named
end

local function text_at(document, offset)
    return (unpack("z", document, word(document, 0) + offset + 1))
end

local readers = {
    [INTEGER] = function(document, offset) return (unpack("<i4", document, offset + 1)) end,
    [REAL] = function(document, offset) return (unpack("<f", document, offset + 1)) end,
    [BOOLEAN] = function(document, offset) return word(document, offset) ~= 0 end,
    [STRING] = function(document, offset) return text_at(document, word(document, offset)) end,
}

local function read_table(document, number, numbers, seen)
    if seen[number] then
        -- Else a short document could stand for more than fits into memory.
        error(("datasheet: table %d is in more than one place"):format(number))
    end
    seen[number] = true
    local result = {}
    numbers[result] = number
    local _, kinds, offset, _, array, count = find_table(document, number)
    for i = 1, count do
        local key = i
        if i > array then
            key = text_at(document, word(document, offset))
            offset = offset + WORD
        end
        local kind = document:byte(kinds + i)
        if kind == TABLE then
            result[key] = read_table(document, word(document, offset), numbers, seen)
        else
            local read = readers[kind]
            if not read then
                error(("Invalid data at %d (%d)"):format(offset, kind))
            end
            result[key] = read(document, offset)
        end
        offset = offset + WORD
    end
    return result
end

--- The table of a document, and the numbers of all tables in it.
---@param document string
---@return table root, table<table, integer> numbers
function dump.undump(document)
    if HEADER + WORD * word(document, WORD) > #document then
        error "datasheet: the document is cut off"
    end
    local numbers = {}
    return read_table(document, 0, numbers, {}), numbers
end

--- The numbers that the tables of a document get: those that are where the last one has a table get its number.
local function renumber(last, current)
    local last_root, last_numbers = dump.undump(last)
    local root, numbers = dump.undump(current)
    local map = {}
    local function match(before, now)
        map[numbers[now]] = last_numbers[before]
        for key, value in pairs(before) do
            local other = now[key]
            if type(value) == "table" and type(other) == "table" then
                match(value, other)
            end
        end
    end
    match(last_root, root)
    local count = word(last, WORD)
    for number = 0, word(current, WORD) - 1 do
        if not map[number] then
            map[number] = count
            count = count + 1
        end
    end
    return map, count
end

--- The bytes of a table with the numbers of others exchanged.
local function moved_table(document, number, map)
    local start, kinds, offset, finish, array, count = find_table(document, number)
    local pieces, from = {}, start
    for i = 1, count do
        if i > array then
            offset = offset + WORD
        end
        if document:byte(kinds + i) == TABLE then
            table.insert(pieces, document:sub(from + 1, offset))
            table.insert(pieces, pack("<I4", map[word(document, offset)]))
            from = offset + WORD
        end
        offset = offset + WORD
    end
    table.insert(pieces, document:sub(from + 1, finish))
    return table.concat(pieces)
end

--- A document in place of another one: its tables have the numbers of those that are in the same places there.
---@param last string
---@param current string
---@return string
function dump.diff(last, current)
    local map, count = renumber(last, current)
    local strings, old_count = unpack("<I4I4", current)
    local offsets = {}
    for i = 1, count do
        offsets[i] = pack("<I4", GONE)
    end
    local tables = {}
    for number = 0, old_count - 1 do
        offsets[map[number] + 1] = pack("<I4", word(current, HEADER + WORD * number))
        tables[number + 1] = moved_table(current, number, map)
    end
    return table.concat {
        pack("<I4I4", strings + (count - old_count) * WORD, count),
        table.concat(offsets),
        table.concat(tables),
        current:sub(strings + 1),
    }
end

return dump

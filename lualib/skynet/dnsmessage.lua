--- DNS messages (RFC 1035): questions as bytes, and what is in an answer.
---
--- Answers come from the network, so nothing in them is taken for granted: a name may point only to what lies before it,
--- and nothing beyond the end is read.

local format = string.format
local pack = string.pack
local unpack = string.unpack

local message = {}

--- Kinds of records.
message.A = 1
message.AAAA = 28

local CLASS_IN <const> = 1
--- The flags of a question: the server is to ask others.
local RECURSION_DESIRED <const> = 0x0100
local IS_RESPONSE <const> = 0x8000

--- The longest name, and the longest part of one between dots. Bytes.
local MAX_NAME <const> = 253
local MAX_LABEL <const> = 63

--- A name as it is asked for, in lower case and without an empty part.
---@param name string
---@return string? name  nil if no host can have it
function message.normal(name)
    if #name > MAX_NAME + 1 or not name:find "^[_%l%d%-%.]+$" then
        return nil
    end
    local labels = {}
    for label in name:gmatch "[^.]+" do
        if #label > MAX_LABEL then
            return nil
        end
        labels[#labels + 1] = label
    end
    return labels[1] and table.concat(labels, ".")
end

--- The bytes of a question.
---@param id integer    16 bits; the answer has it too
---@param name string   as `normal` gives it
---@param kind integer  `A` or `AAAA`
---@return string
function message.question(id, name, kind)
    local encoded = name:gsub("[^.]+", function(label)
        return pack("s1", label)
    end):gsub("%.", "")
    return pack(">I2I2I2I2I2I2zI2I2", id, RECURSION_DESIRED, 1, 0, 0, 0, encoded, kind, CLASS_IN)
end

-- The name at a position, and the position after it.
local function read_name(bytes, at)
    local labels = {}
    local size = 0
    local after
    local lowest = at
    while true do
        local length = unpack("B", bytes, at)
        if length >= 0xc0 then
            -- The rest is elsewhere. Going back only, it comes to an end.
            local target = (unpack(">I2", bytes, at) & 0x3fff) + 1
            after = after or at + 2
            if target >= lowest then
                error "a name points forward"
            end
            at, lowest = target, target
        elseif length > MAX_LABEL then
            error "a label of no known kind"
        elseif length == 0 then
            return table.concat(labels, "."):lower(), after or at + 1
        else
            local label, next_at = unpack("s1", bytes, at)
            labels[#labels + 1] = label
            size = size + length + 1
            if size > MAX_NAME + 1 then
                error "a name is too long"
            end
            at = next_at
        end
    end
end

local texts = {
    [message.A] = function(data)
        return format("%d.%d.%d.%d", unpack("BBBB", data))
    end,
    [message.AAAA] = function(data)
        return format("%x:%x:%x:%x:%x:%x:%x:%x", unpack(">I2I2I2I2I2I2I2I2", data))
    end,
}

local function read(bytes)
    local id, flags, questions, answers, _, _, at = unpack(">I2I2I2I2I2I2", bytes)
    if flags & IS_RESPONSE == 0 or questions ~= 1 then
        error "no answer to one question"
    end
    local result = { id = id, [message.A] = {}, [message.AAAA] = {} }
    local name
    name, at = read_name(bytes, at)
    result.name = name
    at = at + 4
    for _ = 1, answers do
        local kind, class, ttl, data
        at = select(2, read_name(bytes, at))
        kind, class, ttl, data, at = unpack(">I2I2I4s2", bytes, at)
        local text = class == CLASS_IN and texts[kind]
        if text then
            table.insert(result[kind], text(data))
            result.ttl = math.min(ttl, result.ttl or ttl)
        end
    end
    return result
end

---@class skynet.dns.answer
---@field id integer    the question's
---@field name string   the name that was asked for, in lower case
---@field ttl integer?  for how long the addresses are good, in seconds; nil if there are none
---@field [integer] string[]  the addresses, by `A` and `AAAA`

--- What is in an answer.
---@param bytes string
---@return skynet.dns.answer? answer  nil: it is malformed
---@return string? reason
function message.answer(bytes)
    -- Reading beyond the end is an error of string.unpack.
    local ok, result = pcall(read, bytes)
    if ok then
        return result
    end
    return nil, result
end

return message

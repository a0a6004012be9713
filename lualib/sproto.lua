-- sproto: messages by a schema, and the remote calls that they make up.

local core = require "sproto.core"

local encode, decode = core.encode, core.decode
local pack, unpack = core.pack, core.unpack

---@class sproto
---@field __cobj lightuserdata the schema
---@field __tcache table<string, lightuserdata> types by name
---@field __pcache table<string|integer, sproto.protocol> protocols by name and by tag
local sproto = {}

---@class sproto.protocol
---@field name string
---@field tag integer
---@field request? lightuserdata the type of its request
---@field response? lightuserdata of its response; null: no content

---@class sproto.host
---@field __proto sproto
---@field __package lightuserdata the type of headers
---@field __session table<integer, lightuserdata|true> the responses that are due
local host = {}

-- A schema of its own is freed with the object, a shared one never.
local owner_mt = {
    __index = sproto,
    __gc = function(self) core.deleteproto(self.__cobj) end,
}
local shared_mt = { __index = sproto }
local host_mt = { __index = host }

local function object(schema, metatable)
    return setmetatable({ __cobj = schema, __tcache = {}, __pcache = {} }, metatable)
end

---An object for a bundle of sprotoparser.
---@param bundle string
---@return sproto
function sproto.new(bundle)
    local schema = core.newproto(bundle)
    if not schema then
        error("sproto.new: the string is no bundle", 2)
    end
    return object(schema, owner_mt)
end

---An object for a schema that lives on without it, as those of sprotoloader.
---@param schema lightuserdata
---@return sproto
function sproto.sharenew(schema)
    return object(schema, shared_mt)
end

---An object for a schema as text.
---@param text string
---@return sproto
function sproto.parse(text)
    return sproto.new(require "sprotoparser".parse(text))
end

local function find_type(self, name)
    local found = self.__tcache[name]
    if not found then
        found = core.querytype(self.__cobj, name)
        if not found then
            error("type not found: " .. name, 0)
        end
        self.__tcache[name] = found
    end
    return found
end

---A protocol by its name or tag.
---@param name string|integer
---@return sproto.protocol
function sproto:queryproto(name)
    local found = self.__pcache[name]
    if found then
        return found
    end
    local other, request, response = core.protocol(self.__cobj, name)
    if not other then
        error(name .. " not found", 0)
    end
    local tag = other
    if math.type(name) then
        name, tag = other, name
    end
    found = { name = name, tag = tag, request = request, response = response }
    self.__pcache[name] = found
    self.__pcache[tag] = found
    return found
end

local find_protocol = sproto.queryproto

---@param name string
---@return boolean
function sproto:exist_type(name)
    return self.__tcache[name] ~= nil or core.querytype(self.__cobj, name) ~= nil
end

---@param name string|integer
---@return boolean
function sproto:exist_proto(name)
    return self.__pcache[name] ~= nil or core.protocol(self.__cobj, name) ~= nil
end

---A table as a message of a type.
---@param name string
---@param value table
---@return string
function sproto:encode(name, value)
    return encode(find_type(self, name), value)
end

---A message as a table, and its size. It is a string, or a pointer and a size; a
---table after it is filled in place of a new one.
---@param name string
---@return table?, integer?
function sproto:decode(name, ...)
    return decode(find_type(self, name), ...)
end

---As encode, with zeros packed.
---@param name string
---@param value table
---@return string
function sproto:pencode(name, value)
    return pack(encode(find_type(self, name), value))
end

---Undoes pencode.
---@param name string
---@return table?, integer?
function sproto:pdecode(name, ...)
    return decode(find_type(self, name), unpack(...))
end

---The request of a protocol, and its tag.
---@param name string|integer
---@param value? table
---@return string, integer
function sproto:request_encode(name, value)
    local p = find_protocol(self, name)
    return p.request and encode(p.request, value) or "", p.tag
end

---The response of a protocol.
---@param name string|integer
---@param value? table
---@return string
function sproto:response_encode(name, value)
    local p = find_protocol(self, name)
    return p.response and encode(p.response, value) or ""
end

---Undoes request_encode.
---@param name string|integer
---@return table?, string name the protocol's
function sproto:request_decode(name, ...)
    local p = find_protocol(self, name)
    -- The first result only, because the name follows.
    local value = nil
    if p.request then
        value = decode(p.request, ...)
    end
    return value, p.name
end

---Undoes response_encode.
---@param name string|integer
---@return table?, integer?
function sproto:response_decode(name, ...)
    local p = find_protocol(self, name)
    if p.response then
        return decode(p.response, ...)
    end
end

sproto.pack = pack
sproto.unpack = unpack

---A table of a type's default values, or with "REQUEST" or "RESPONSE" of a
---protocol's; nil if the protocol has none.
---@param name string
---@param part? "REQUEST"|"RESPONSE"
---@return table?
function sproto:default(name, part)
    if part == nil then
        return core.default(find_type(self, name))
    end
    local p = find_protocol(self, name)
    local found
    if part == "REQUEST" then
        found = p.request
    elseif part == "RESPONSE" then
        found = p.response
    else
        error "Invalid type"
    end
    if found then
        return core.default(found)
    end
end

---One side of a connection. Its messages start with a header of a type that has
---the fields type, session and ud.
---@param name? string the header's type, "package" by default
---@return sproto.host
function sproto:host(name)
    local header = core.querytype(self.__cobj, name or "package")
    if not header then
        error("type package not found: " .. (name or "package"), 2)
    end
    return setmetatable({ __proto = self, __package = header, __session = {} }, host_mt)
end

-- A message of a header and, unless the type is nil, a body.
local function pack_message(self, header, body_type, body)
    local bytes = encode(self.__package, header)
    if body_type then
        bytes = bytes .. encode(body_type, body)
    end
    return pack(bytes)
end

---Reads a message, a string or a pointer and a size. Of a request: "REQUEST", the
---protocol's name, the arguments, a function `f(result, ud)` that makes the
---response if one is wanted, ud. Of a response: "RESPONSE", the session, the
---result, ud.
---@return "REQUEST"|"RESPONSE", string|integer, table?, any, any
function host:dispatch(...)
    local bytes = unpack(...)
    local header, size = decode(self.__package, bytes)
    local session = header.session
    if header.type then
        local p = find_protocol(self.__proto, header.type)
        local arguments
        if p.request then
            arguments = decode(p.request, bytes:sub(size + 1))
        end
        local response
        if session then
            function response(result, ud)
                return pack_message(self, { session = session, ud = ud }, p.response, result)
            end
        end
        return "REQUEST", p.name, arguments, response, header.ud
    end

    local expected = self.__session[assert(session, "session not found")]
    if not expected then
        error "Unknown session"
    end
    self.__session[session] = nil
    if expected == true then
        return "RESPONSE", session, nil, header.ud
    end
    local result = decode(expected, bytes:sub(size + 1))
    return "RESPONSE", session, result, header.ud
end

---A function `f(name, arguments, session, ud)` that makes requests to the other
---side, whose protocols are those of `peer`. Without a session there is no response.
---@param peer sproto
---@return fun(name: string|integer, arguments?: table, session?: integer, ud?: any): string
function host:attach(peer)
    return function(name, arguments, session, ud)
        local p = find_protocol(peer, name)
        local header = { type = p.tag, session = session, ud = ud }
        local message = pack_message(self, header, p.request, arguments)
        if session then
            self.__session[session] = p.response or true
        end
        return message
    end
end

return sproto

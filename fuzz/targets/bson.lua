-- bson and skynet.mongo.driver: any bytes as an answer of a database, whose document is
-- decoded, encoded again, and changed in place.

local bson = require "bson"
local driver = require "skynet.mongo.driver"

-- An answer up to its document.
local HEAD <const> = ("<i4i4i4i4B"):pack(1, 2, 2013, 0, 0)

local CANDIDATES <const> = { 1, 1.5, true, "text", bson.date(5), bson.timestamp(1, 2), bson.objectid(), 1 << 40 }

local function use(message)
    local ok, whole, _, document = pcall(driver.reply, message)
    if not (ok and whole) then
        return
    end
    local decoded, values = pcall(bson.decode, document)
    if not decoded then
        return
    end
    local encoded, copy = pcall(bson.encode, values)
    if not encoded then
        return
    end
    -- A text of the peer that looks like a value of a special kind becomes one, with
    -- whatever bytes: that is what such values look like in Lua.
    if not pcall(copy.makeindex, copy) then
        return
    end
    for key, value in pairs(values) do
        bson.type(value)
        pcall(function()
            copy[key] = value
        end)
        pcall(function()
            copy[key] = CANDIDATES[#message % #CANDIDATES + 1]
        end)
    end
    pcall(copy.decode, copy)
end

local function run(input)
    if #input >= 4 then
        pcall(driver.length, input)
    end
    use(input)
    -- A document whose outermost size is right reaches more.
    use(HEAD .. ("<i4"):pack(#input + 5) .. input .. "\0")
end

return {
    parser = {
        "lualib-src/src/bson/decode.rs",
        "lualib-src/src/bson/format.rs",
        "lualib-src/src/bson/index.rs",
        "lualib-src/src/mongo/message.rs:reply",
        "lualib-src/src/mongo/message.rs:rest",
    },
    longest = 300,
    memory = 65536,
    memory_per_byte = 512,
    run = run,
}

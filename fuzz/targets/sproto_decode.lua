-- sproto.core: any bytes as a message of a type that has fields of all kinds.

local core = require "sproto.core"
local sprotoparser = require "sprotoparser"

local schema = core.newproto(sprotoparser.parse [[
.item { id 0 : integer  text 1 : string }
.pair { key 0 : string  value 1 : integer }
.all {
    number 0 : integer
    fixed 1 : integer(2)
    real 2 : double
    flag 3 : boolean
    text 4 : string
    bytes 5 : binary
    self 6 : all
    numbers 7 : *integer
    fixeds 8 : *integer(3)
    reals 9 : *double
    flags 10 : *boolean
    texts 11 : *string
    items 12 : *item
    keyed 13 : *item(id)
    map 14 : *pair()
    selves 20 : *all
}
]])
local all = core.querytype(schema, "all")

local function run(input)
    local ok, message, size = pcall(core.decode, all, input)
    if ok then
        assert(size <= #input)
        -- What was read can be written, unless a table's keys are not what they seem.
        local encoded, bytes = pcall(core.encode, all, message)
        if encoded then
            assert(core.decode(all, bytes))
        end
    end
end

return {
    parser = {
        "lualib-src/src/sproto/decode.rs",
        -- What reads; the rest of the file writes.
        "lualib-src/src/sproto/wire.rs:word",
        "lualib-src/src/sproto/wire.rs:data",
        "lualib-src/src/sproto/wire.rs:step",
        "lualib-src/src/sproto/wire.rs:rest",
        "lualib-src/src/sproto/wire.rs:record_count",
        "lualib-src/src/sproto/wire.rs:count_all",
        "lualib-src/src/sproto/wire.rs:next",
        "lualib-src/src/sproto/wire.rs:number",
        "lualib-src/src/sproto/wire.rs:numbers",
        "lualib-src/src/sproto/wire.rs:new",
    },
    longest = 400,
    memory = 65536,
    memory_per_byte = 256,
    run = run,
}

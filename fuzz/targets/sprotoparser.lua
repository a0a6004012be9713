-- sprotoparser: any text as a schema.

local core = require "sproto.core"
local sprotoparser = require "sprotoparser"

local function run(input)
    local ok, bundle = pcall(sprotoparser.parse, input, "text")
    if ok then
        -- What the parser takes, sproto.core takes.
        core.deleteproto(assert(core.newproto(bundle)))
    end
end

return {
    parser = { "lualib/sprotoparser.lua" },
    words = {
        ".", ":", "*", "{", "}", "(", ")", "()", "#", "\n", "\r\n", " ", "0", "1", "2", "32766", "32767", "-1",
        "request", "response", "nil", "integer", "boolean", "string", "binary", "double", "a", "b", ".a {}",
        "x 0 : integer", "y 1 : *a(x)", "y 1 : *a()", "z 2 : *b", "p 1 { request a }", "integer(2)", "a.b",
        "request { x 0 : string }", "p 1 {\nresponse nil\n}",
    },
    longest = 160,
    memory = 65536,
    memory_per_byte = 2048,
    run = run,
}

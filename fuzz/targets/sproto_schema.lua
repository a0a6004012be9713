-- sproto.core: any bytes as a bundle of types and protocols, and its types as those of
-- messages.

local core = require "sproto.core"

local NAMES <const> = { "a", "b", "item", "package" }

local function run(input)
    local schema = core.newproto(input)
    if not schema then
        return
    end
    for _, name in ipairs(NAMES) do
        local kind = core.querytype(schema, name)
        if kind then
            core.default(kind)
            pcall(core.decode, kind, "\2\0\4\0\6\0")
            pcall(core.decode, kind, "\1\0\0\0\2\0\0\0\0\0")
            pcall(core.encode, kind, { a = 1, b = "text", list = { 1 } })
        end
        core.protocol(schema, name)
    end
    for tag = 0, 3 do
        core.protocol(schema, tag)
    end
    core.deleteproto(schema)
end

return {
    parser = { "lualib-src/src/sproto/schema.rs" },
    longest = 400,
    memory = 65536,
    memory_per_byte = 256,
    run = run,
}

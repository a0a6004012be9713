-- sproto.core's packing of zeros: any bytes as packed ones, and as bytes to pack.

local core = require "sproto.core"

local function run(input)
    local padded = input .. ("\0"):rep(-#input % 8)
    assert(core.unpack(core.pack(input)) == padded)
    local ok, bytes = pcall(core.unpack, input)
    if ok then
        assert(#bytes % 8 == 0 and #bytes <= 8 * #input)
        assert(core.unpack(core.pack(bytes)) == bytes)
    end
end

return {
    parser = {
        "lualib-src/src/sproto/zero.rs:unpack_word",
        "lualib-src/src/sproto/zero.rs:unpack",
    },
    longest = 2400,
    memory = 16384,
    memory_per_byte = 64,
    run = run,
}

-- skynet.unpack: any bytes as a message of Lua values.

local core = require "skynet.core"

local function check(ok, ...)
    if ok then
        -- What was read can be written and read again, unless it is nested too deep.
        local packed, bytes = pcall(core.packstring, ...)
        if packed then
            assert(select("#", core.unpack(bytes)) == select("#", ...))
        end
    end
end

local function run(input)
    check(pcall(core.unpack, input))
end

return {
    parser = {
        "lualib-src/src/seri/format.rs:next",
        "lualib-src/src/seri/format.rs:integer",
        "lualib-src/src/seri/format.rs:array_length",
        "lualib-src/src/seri/format.rs:survey",
        "lualib-src/src/seri/format.rs:table",
        "lualib-src/src/seri/format.rs:fixed",
        "lualib-src/src/seri/format.rs:bytes",
        "lualib-src/src/seri/names.rs",
        "lualib-src/src/seri/unpack.rs",
    },
    longest = 600,
    memory = 65536,
    memory_per_byte = 256,
    run = run,
}

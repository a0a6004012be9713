-- skynet.socketdriver: any bytes as the address that a datagram came from.

local driver = require "skynet.socketdriver"

local function run(input)
    local ok, host, port = pcall(driver.udp_address, input)
    if ok then
        assert(#input == 7 or #input == 19)
        assert(host:find "^[%x.:]+$" and port >= 0 and port < 65536)
    end
end

return {
    parser = { "lualib-src/src/socketdriver/info.rs:udp_address" },
    longest = 24,
    memory = 16384,
    memory_per_byte = 64,
    run = run,
}

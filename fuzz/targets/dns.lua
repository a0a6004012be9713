-- skynet.dnsmessage: any bytes as a server's answer.

local message = require "skynet.dnsmessage"

local function run(input)
    local answer, reason = message.answer(input)
    assert(answer or type(reason) == "string")
    local name = message.normal(input)
    if name then
        local id, _, questions = (">I2I2I2"):unpack(message.question(1, name, message.A))
        assert(id == 1 and questions == 1)
    end
end

return {
    parser = { "lualib/skynet/dnsmessage.lua" },
    words = { "\xc0\x0c", "\0\1\0\1", "\0\x1c\0\1", "\3www", "\0\4", "a.b", "-", "_" },
    longest = 300,
    memory = 32768,
    memory_per_byte = 256,
    run = run,
}

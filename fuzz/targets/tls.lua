-- ltls: any bytes as what a new client sends, as what a new server answers, and between two
-- sides that know each other, as the program's bytes and as the network's. The certificate
-- and its key in fuzz/tls are for this alone.

local tls = require "ltls.c"

local context = tls.newctx()
context:set_cert("fuzz/tls/certificate.pem", "fuzz/tls/key.pem")

-- Of so many inputs one greets a new server, which computes a key for it if it is sound,
-- and one has handshakes made for it: both take far longer than all the rest.
local GREETING <const> = 4
local HANDSHAKE <const> = 1009

-- Two sides after their handshake.
local function pair()
    local client = tls.newtls("client", context)
    client:set_ext_host_name "fuzz"
    local server = tls.newtls("server", context)
    local bytes = client:handshake()
    while not (client:finished() and server:finished()) do
        bytes = server:finished() and server:read(bytes) or server:handshake(bytes)
        bytes = not client:finished() and client:handshake(bytes)
    end
    return client, server
end

local client, server = pair()

-- An end of a connection that the peer's bytes have come to.
local function try(side, bytes)
    local half = #bytes // 2
    for _, piece in ipairs { bytes:sub(1, half), bytes:sub(half + 1) } do
        local ok, answer = pcall(side.handshake, side, piece)
        if not ok then
            assert(pcall(side.write, side, "") and not pcall(side.handshake, side, bytes))
            return
        end
        assert(not answer or type(answer) == "string")
    end
end

local function run(input)
    local sent = client:write(input)
    assert(server:read(sent) == input)
    local sum = #input
    for at = 1, math.min(#input, 8) do
        sum = sum * 31 + input:byte(at)
    end
    if sum % GREETING == 0 then
        try(tls.newtls("server", context), input)
    end
    if sum % HANDSHAKE ~= 0 then
        return
    end
    local greeter = tls.newtls("client", context)
    greeter:handshake()
    try(greeter, input)
    -- Bytes that were not encrypted, and what both sides say at their end.
    local ok, plain = pcall(server.read, server, input)
    assert(not ok or plain == "")
    pcall(server.read, server, input)
    client, server = pair()
    local bye = client:write(input) .. (client:write "" or "")
    client:close()
    assert(server:read(bye) == input)
    pcall(server.read, server, input)
    client, server = pair()
end

return {
    parser = {
        "lualib-src/src/ltls/session.rs:handshake",
        "lualib-src/src/ltls/session.rs:read",
        "lualib-src/src/ltls/session.rs:write",
        "lualib-src/src/ltls/session.rs:feed",
        "lualib-src/src/ltls/session.rs:drain",
        "lualib-src/src/ltls/session.rs:send",
        "lualib-src/src/ltls/session.rs:flush",
        "lualib-src/src/ltls/session.rs:work",
        "lualib-src/src/ltls/session.rs:fail",
        "lualib-src/src/ltls/session.rs:connection",
        "lualib-src/src/ltls/session.rs:connect",
    },
    longest = 600,
    memory = 1 << 20,
    memory_per_byte = 256,
    run = run,
}

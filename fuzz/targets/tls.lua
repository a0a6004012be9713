-- ltls.c: any bytes as what the other side sends, before the handshake and behind it, and any text on its way. The
-- first byte says which of these, and how large the pieces are in which they come.

local crypt = require "skynet.crypt"
local ltls = require "ltls.c"

-- An Ed25519 key, which is any 32 bytes behind the head of its format, and a certificate for it.
local KEY <const> = crypt.hexdecode "302e020100300506032b657004220420" .. "for the fuzzing and nothing else"
local CERTIFICATE <const> = [[
MIIBKzCB3qADAgECAgEBMAUGAytlcDAUMRIwEAYDVQQDDAlob3N0LnRlc3QwIBcN
MjYxMTI0MTUyMzUzWhgPMjEyNjEwMzExNTIzNTNaMBQxEjAQBgNVBAMMCWhvc3Qu
dGVzdDAqMAUGAytlcAMhAFS4vKU7nFd3t0N2EenBQz5c1NNbcu+VA1nzgGVSypKn
o1MwUTAdBgNVHQ4EFgQUWcfQWzW/KOpJ59selfMfT4tG1Y4wHwYDVR0jBBgwFoAU
WcfQWzW/KOpJ59selfMfT4tG1Y4wDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXADQQAQ
26LAkaMg4qtB60uLOvGJI5d51w5K9HSJY7Y1sx8n8CsgrRAQYyow5Tdd2ngrWee1
tzmsKujFO68wLsGM5YMD
]]
local OLD <const> = "ALL:!TLS_AES_256_GCM_SHA384:!TLS_CHACHA20_POLY1305_SHA256:!TLS_AES_128_GCM_SHA256"

local function with_file(kind, text, func)
    local name = os.tmpname()
    local file = assert(io.open(name, "w"))
    file:write("-----BEGIN ", kind, "-----\n", text, "\n-----END ", kind, "-----\n")
    file:close()
    func(name)
    os.remove(name)
end

local serving = ltls.newctx()
with_file("CERTIFICATE", CERTIFICATE, function(certificate)
    with_file("PRIVATE KEY", crypt.base64encode(KEY), function(key)
        serving:set_cert(certificate, key)
    end)
end)
local clients = { ltls.newctx(), ltls.newctx() }
clients[2]:set_ciphers(OLD)

local function new_client(version)
    local client = ltls.newtls("client", clients[version], "host.test")
    return client, client:handshake()
end

local function connected(version)
    local server = ltls.newtls("server", serving)
    local client, sent = new_client(version)
    while not (client:finished() and server:finished()) do
        if server:finished() then
            sent = server:read(sent) .. server:write()
        else
            sent = server:handshake(sent) or ""
        end
        if client:finished() then
            client:read(sent)
        else
            sent = client:handshake(sent) or ""
        end
    end
    return client, server
end

-- Gives a side bytes in pieces, up to an error, which must be one of TLS. No answer is larger than a handshake's.
local function give(side, bytes, size)
    local ready = side:finished()
    assert(pcall(side.write, side, "text") == ready)
    for at = 1, #bytes, size do
        local finished = side:finished()
        local ok, reply = pcall(finished and side.read or side.handshake, side, bytes:sub(at, at + size - 1))
        if not ok then
            assert(reply:find "TLS %l+: " and not reply:find "TLS library", reply)
            -- It stays.
            assert(not pcall(side.read, side))
            assert(#side:write() < 4096)
            return
        end
        assert(finished or not reply or #reply < 4096)
    end
end

local pairs_of = {}

local function run(input)
    local choice = input:byte() or 0
    local bytes = input:sub(2)
    local version = choice % 2 + 1
    local size = choice // 32 * 40 + 1
    local kind = choice // 2 % 16
    if kind < 6 then
        give(ltls.newtls("server", serving), bytes, size)
    elseif kind < 13 then
        give((new_client(version)), bytes, size)
    elseif kind < 14 then
        local client, server = connected(version)
        give(client, bytes, size)
        give(server, bytes, size)
    else
        local pair = pairs_of[version] or { connected(version) }
        pairs_of[version] = pair
        local from, to = pair[kind % 2 + 1], pair[2 - kind % 2]
        local sent = from:write(bytes)
        local seen = {}
        for at = 1, #sent, size do
            seen[#seen + 1] = to:read(sent:sub(at, at + size - 1))
        end
        assert(table.concat(seen) == bytes)
    end
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
    },
    words = { "\22\3\1", "\22\3\3", "\20\3\3\0\1\1", "\21\3\3\0\2\2\40", "\23\3\3", "\0\0", "\3\3", "\3\4", "\1\0", "\2\0" },
    longest = 2000,
    memory = 400000,
    memory_per_byte = 64,
    run = run,
}

-- skynet.cluster: any bytes as the frames of another node's requests. Each has its size in
-- front, two bytes, as on the connection.

local core = require "skynet.core"
local cluster = require "skynet.cluster.core"
local link = require "skynet.cluster.link"

-- What the messages that are not complete may hold.
local LIMIT <const> = 4096

-- Frees a message.
local function free(msg, sz)
    assert(#core.tostring(msg, sz) == sz)
    core.trash(msg, sz)
end

-- One frame by itself.
local function unpacked(ok, address, session, msg, sz)
    if ok and session and msg then
        assert(address == false or type(address) == "string" or address >= 0)
        free(msg, sz)
    end
end

-- A request, if it is one; whether more frames make sense.
local function taken(address, session, push, tag, msg, sz)
    if address == nil then
        return session == nil
    elseif address then
        assert(session >= 0 and type(push) == "boolean")
        assert(tag == nil or type(tag) == "string")
        free(msg, sz)
    end
    return true
end

local function run(input)
    local read = link.requests(LIMIT)
    local at = 1
    local going = true
    while going and at + 1 <= #input do
        local size = (">I2"):unpack(input, at)
        local frame = input:sub(at + 2, at + 1 + size)
        at = at + 2 + size
        unpacked(pcall(cluster.unpackrequest, frame))
        going = taken(read(frame))
    end
end

return {
    parser = {
        "lualib-src/src/cluster.rs:unpackrequest",
        "lualib-src/src/cluster.rs:push_address",
        "lualib-src/src/cluster.rs:push_message",
        "lualib-src/src/cluster/link.rs:read_request",
        "lualib-src/src/cluster/link.rs:push_joined",
        "lualib-src/src/cluster/parts.rs:begin",
        "lualib-src/src/cluster/parts.rs:count",
        "lualib-src/src/cluster/parts.rs:add",
        "lualib-src/src/cluster/parts.rs:append",
        "lualib-src/src/cluster/wire.rs:destination",
        "lualib-src/src/cluster/wire.rs:read",
        "lualib-src/src/cluster/wire.rs:text",
    },
    longest = 300,
    memory = 65536,
    memory_per_byte = 256,
    run = run,
}

-- skynet.cluster: any bytes as the frames of another node's answers. Each has its size in
-- front, two bytes, as on the connection.

local core = require "skynet.core"
local cluster = require "skynet.cluster.core"
local link = require "skynet.cluster.link"

-- What the messages that are not complete may hold.
local LIMIT <const> = 4096

-- One frame by itself.
local function unpacked(session, ok, data, more)
    if session then
        assert(type(ok) == "boolean" and (more == nil or more == true))
        assert(type(data) == "string" or more and data >= 0)
    end
end

-- An answer, if it is one; whether more frames make sense.
local function taken(session, ok, msg, sz)
    if session == nil then
        return ok == nil
    elseif session then
        assert(type(ok) == "boolean" and #core.tostring(msg, sz) == sz)
        core.trash(msg, sz)
    end
    return true
end

local function run(input)
    local read = link.responses(LIMIT)
    if #input < 3 then
        assert(not pcall(read, input))
    end
    local at = 1
    local going = true
    while going and at + 1 <= #input do
        local size = (">I2"):unpack(input, at)
        local frame = input:sub(at + 2, at + 1 + size)
        at = at + 2 + size
        unpacked(cluster.unpackresponse(frame))
        -- It takes a message; this makes one of these bytes.
        going = taken(read(select(3, cluster.unpackrequest(("\0"):rep(9) .. frame))))
    end
end

return {
    parser = {
        "lualib-src/src/cluster.rs:unpackresponse",
        "lualib-src/src/cluster/link.rs:read_response",
        "lualib-src/src/cluster/link.rs:push_short",
        "lualib-src/src/cluster/link.rs:push_content",
        "lualib-src/src/cluster/link.rs:push_mismatch",
        "lualib-src/src/cluster/parts.rs:begin",
        "lualib-src/src/cluster/parts.rs:count",
        "lualib-src/src/cluster/parts.rs:add",
        "lualib-src/src/cluster/parts.rs:append",
        "lualib-src/src/cluster/wire.rs:read_response",
    },
    longest = 300,
    memory = 65536,
    memory_per_byte = 256,
    run = run,
}

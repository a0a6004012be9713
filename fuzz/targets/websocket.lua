-- http.websocket: any bytes as what a client sends, and with a handshake before them. The
-- first byte says how many come at once.

local feed = require "feed"
feed.stub "skynet"
feed.stub("skynet.socket", { start = function() return true end })
local internal = require "http.internal"
local websocket = require "http.websocket"

websocket.limit.server = 100

local HEADER <const> = {
    upgrade = "websocket",
    host = "a",
    connection = "keep-alive, Upgrade",
    ["sec-websocket-key"] = "MTIzNDU2Nzg5MDEyMzQ1Ng==",
    ["sec-websocket-version"] = "13",
}

local function nothing() end

local received = 0
local handle = {
    message = function(_, content)
        received = received + #content
        assert(#content <= websocket.limit.server)
    end,
}

-- Serves a connection until the bytes are over.
local function serve(bytes, at_once, header)
    received = 0
    local interface = {
        read = feed.reader(bytes, at_once, internal.socket_error),
        write = nothing,
        close = nothing,
    }
    local upgrade = { header = header, method = "GET", url = "/", interface = interface }
    websocket.accept(1, handle, "ws", nil, { upgrade = upgrade })
    assert(received <= #bytes)
end

-- A handshake in the bytes.
local function parsed(bytes, at_once)
    local source = internal.source(feed.reader(bytes, at_once, internal.socket_error))
    local ok, lines = pcall(internal.read_head, source)
    return ok and lines and internal.parseheader(lines, 2, {})
end

local function run(input)
    local at_once = (input:byte() or 0) % 40 + 1
    local bytes = input:sub(2)
    if bytes:find("\r\n", 1, true) then
        local header = parsed(bytes, at_once)
        if header then
            serve("", at_once, header)
        end
    else
        serve(bytes, at_once, HEADER)
    end
end

return {
    parser = {
        "lualib/http/websocket.lua:payload_size",
        "lualib/http/websocket.lua:read_frame",
        "lualib/http/websocket.lua:read_message",
        "lualib/http/websocket.lua:read_close",
        "lualib/http/websocket.lua:lower_header",
        "lualib/http/websocket.lua:is_key",
        "lualib/http/websocket.lua:choose_protocol",
        "lualib/http/websocket.lua:answer_handshake",
    },
    words = {
        "\x81\x81\0\0\0\0a", "\x01\1a", "\x80\1a", "\x89\0", "\x8a\0", "\x88\2\3\xe8", "\x82\x7e\0\5", "\x82\x7f\0\0\0\0\0\0\0\5",
        "\r\n", "upgrade: websocket\r\n", "host: a\r\n", "connection: Upgrade\r\n", "sec-websocket-version: 13\r\n",
        "sec-websocket-key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n", "sec-websocket-protocol: chat\r\n",
    },
    longest = 300,
    memory = 65536,
    memory_per_byte = 512,
    run = run,
}

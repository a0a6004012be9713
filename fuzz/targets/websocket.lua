-- http.frames and http.handshake: a request and its frames, one after the other or alone,
-- and the answer to a client. The first byte of an input says which.

local frames = require "http.frames"
local handshake = require "http.handshake"
local internal = require "http.internal"

local socket_error = internal.socket_error
local limit = internal.limit
limit.head, limit.headers = 300, 8

--- The most that a message may have here. Bytes.
local MOST <const> = 200

local function ended()
    error(socket_error)
end

--- A source of these bytes.
local function source_of(bytes)
    return internal.source(ended, bytes)
end

local function check(ok, reason)
    assert(ok or reason == socket_error or not reason:find "attempt to", reason)
    return ok
end

--- All messages, up to the end or to what is no frame.
local function read_frames(source)
    local parts = frames.no_parts()
    while true do
        local ok, opcode, data, code = pcall(frames.read, source, parts, MOST)
        if not check(ok, opcode) then
            return
        end
        if not opcode then
            assert(code == 1002 or code == 1009)
            return
        end
        assert(#data <= MOST)
        if opcode == frames.CLOSE then
            frames.decode_close(data)
            return
        end
        -- What is sent back is what has come.
        local back = source_of(frames.encode(opcode, data, #data % 2 == 1 and 0x12345678 or nil))
        local same, content = frames.read(back, frames.no_parts(), MOST)
        assert(same == opcode and content == data)
    end
end

local function serve(bytes)
    local source = source_of(bytes)
    local ok, header, url, text = pcall(handshake.read, source)
    if not check(ok, header) then
        return
    end
    if not header then
        assert(math.type(url) == "integer" and (text == nil or type(text) == "string"))
        return
    end
    local answer, code = handshake.answer(header)
    assert(answer or math.type(code) == "integer")
    if answer then
        read_frames(source)
    end
end

local function ask(bytes)
    local rest = bytes
    local function read()
        bytes, rest = rest or ended(), nil
        return bytes
    end
    check(pcall(handshake.ask, { read = read, write = function() end }, "host", "/"))
end

local function run(input)
    local first = input:byte() or 0
    local bytes = input:sub(2)
    if first & 3 == 0 then
        ask(bytes)
    elseif first & 3 == 1 then
        serve(bytes)
    else
        read_frames(source_of(bytes))
    end
end

return {
    parser = {
        "lualib/http/frames.lua:encode",
        "lualib/http/frames.lua:decode_close",
        "lualib/http/frames.lua:read_size",
        "lualib/http/frames.lua:check",
        "lualib/http/frames.lua:read_frame",
        "lualib/http/frames.lua:join",
        "lualib/http/frames.lua:read",
        "lualib/http/handshake.lua:once",
        "lualib/http/handshake.lua:joined",
        "lualib/http/handshake.lua:is_key",
        "lualib/http/handshake.lua:choose_protocol",
        "lualib/http/handshake.lua:read",
        "lualib/http/handshake.lua:answer",
        "lualib/http/handshake.lua:ask",
    },
    words = {
        "\x81\x81abcd", "\x01\x81abcd", "\x80\x80abcd", "\x89\0", "\x8a\0", "\x88\2\3\xe8", "\x82\x7e\0\x80",
        "\x82\x7f\0\0\0\0\0\0\0\1", "\x82\x7f\x80\0\0\0\0\0\0\0", "\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\n", "host: a\r\n",
        "upgrade: websocket\r\n", "connection: upgrade\r\n", "connection: keep-alive\r\n", "sec-websocket-version: 13\r\n",
        "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", "sec-websocket-protocol: chat\r\n", "HTTP/1.0", "POST",
        "HTTP/1.1 101 S\r\n", "sec-websocket-accept: AAAA\r\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    },
    longest = 400,
    memory = 300000,
    memory_per_byte = 2048,
    run = run,
}

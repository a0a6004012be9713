--- What `http.sockethelper` is for a socket, for TLS on a socket. A connection that is over raises `socket_error`, as
--- there; whatever is wrong with TLS itself raises an error that says what.

local skynet = require "skynet"
local socket = require "skynet.socket"
local helper = require "http.sockethelper"
local ltls = require "ltls.c"

local tlshelper = {}

-- One step of the handshake. What is wrong is also told to the other side, which would have to guess.
local function step(tls, write, received)
    local ok, reply = pcall(tls.handshake, tls, received)
    if ok then
        if reply then
            write(reply)
        end
        return
    end
    local told, alert = pcall(tls.write, tls)
    if told and alert ~= "" then
        pcall(write, alert)
    end
    error(reply, 0)
end

local function shake_hands(fd, tls, write)
    local read = helper.readfunc(fd)
    while not tls:finished() do
        step(tls, write, read())
    end
end

--- A function that does a client's part of the handshake; it may be given the server's host name.
---@param fd integer
---@param tls userdata
---@return fun(hostname: string?)
function tlshelper.init_requestfunc(fd, tls)
    return function(hostname)
        if hostname then
            tls:set_ext_host_name(hostname)
        end
        local write = helper.writefunc(fd)
        step(tls, write)
        shake_hands(fd, tls, write)
    end
end

--- A function that does a server's part of the handshake.
---@param fd integer
---@param tls userdata
---@return fun()
function tlshelper.init_responsefunc(fd, tls)
    return function()
        shake_hands(fd, tls, helper.writefunc(fd))
    end
end

--- A function that ends the use of TLS. The socket is the caller's to close.
---@param tls userdata
---@return fun()
function tlshelper.closefunc(tls)
    return function()
        tls:close()
    end
end

--- A function that reads as many bytes as it is asked for, or what there is.
---@param fd integer
---@param tls userdata
---@return fun(size: integer?): string
function tlshelper.readfunc(fd, tls)
    local read = helper.readfunc(fd)
    -- What was received; the bytes before `at` are taken.
    local buffer, at = "", 1

    local function receive()
        if tls:ended() then
            error(helper.socket_error("the other side has closed fd = " .. fd))
        end
        return tls:read(read())
    end

    -- Receives so many bytes, or more, behind those that are there. Whatever comes before an error is kept.
    local function fill(count)
        -- What came with the end of the handshake is inside already.
        local pieces = { buffer:sub(at), tls:read() }
        count = count - #pieces[2]
        local ok, piece = true, nil
        while ok and count > 0 do
            ok, piece = pcall(receive)
            if ok then
                pieces[#pieces + 1] = piece
                count = count - #piece
            end
        end
        buffer, at = table.concat(pieces), 1
        if not ok then
            error(piece, 0)
        end
    end

    return function(size)
        local missing = (size or 1) - (#buffer - at + 1)
        if missing > 0 then
            fill(missing)
        end
        local first = at
        at = size and at + size or #buffer + 1
        return buffer:sub(first, at - 1)
    end
end

--- A function that reads until the other side has closed.
---@param fd integer
---@param tls userdata
---@return fun(): string
function tlshelper.readallfunc(fd, tls)
    return function()
        local pieces = { tls:read() }
        while not tls:ended() do
            local piece = socket.read(fd)
            if not piece then
                break
            end
            pieces[#pieces + 1] = tls:read(piece)
        end
        return table.concat(pieces)
    end
end

--- A function that sends.
---@param fd integer
---@param tls userdata
---@return fun(text: string)
function tlshelper.writefunc(fd, tls)
    local write = helper.writefunc(fd)
    return function(text)
        return write(tls:write(text))
    end
end

--- Settings for connections. With `tls_cafile` in the config, clients accept no servers but those that its certificates
--- vouch for.
---@return userdata
function tlshelper.newctx()
    local context = ltls.newctx()
    local file = skynet.getenv "tls_cafile"
    if file then
        context:set_ca(file)
    end
    return context
end

--- One side of a connection.
---@param method string "client" or "server"
---@param context userdata
---@param hostname string? for a client: the server's name or address
---@return userdata
function tlshelper.newtls(method, context, hostname)
    return ltls.newtls(method, context, hostname)
end

return tlshelper

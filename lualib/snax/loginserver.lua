--- A login server: agrees on a secret with each client, has its token checked, and lets a game server know of it.
---
--- The program that calls this runs as several services. The first one, the master, takes a name, listens, and launches
--- the others, the slaves, which do the handshakes in turn. Only the slaves call `auth_handler`, only
--- the master `login_handler` and `command_handler`.
---
--- All of it is lines that end in a newline, their content in base64 except for the numbers of the last one:
---
---     server   8 random bytes, the challenge
---     client   its public key of a Diffie-Hellman exchange
---     server   its public key; from here on both know the secret
---     client   HMAC of challenge and secret
---     client   the token, encrypted with DES by the secret
---     server   "200 " and what login_handler returned; or 401 Unauthorized: handshake or token are wrong,
---              403 Forbidden: login_handler failed, 406 Not Acceptable: the user is just logging in
---
--- Then the server closes the connection.

local skynet = require "skynet.manager"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"

local encode, decode = crypt.base64encode, crypt.base64decode

--- A line of a client has so many bytes at most, unless `line_limit` is told.
local LINE_LIMIT <const> = 8192

--- Slaves, unless `instance` is told.
local SLAVES <const> = 8

local KEY_SIZE <const> = 8

---@class snax.loginserver.conf
---@field port integer|string    the master puts the number here that came of it, where it is 0
---@field host string|nil        every address of the machine by default
---@field name string|nil        the master's local name without its dot, "login" by default
---@field instance integer|nil   how many slaves
---@field multilogin boolean|nil  a user may log in while a login of the same user is under way
---@field line_limit integer|nil  bytes that a client may send ahead of being read; with more it is disconnected
---@field auth_handler fun(token: string): any, any  server and user that a token is for; raises if it is wrong
---@field login_handler fun(server: any, uid: any, secret: string): any  the text for the client, such as a subid
---@field command_handler fun(command: any, ...: any): any  every lua message to the master

--- What is raised when a connection has gone, which is in the log already.
local gone = setmetatable({}, {
    __tostring = function()
        return "socket error"
    end,
})

local function lost(step, fd)
    skynet.error(("%s failed: socket (fd = %d) closed"):format(step, fd))
    error(gone, 0)
end

local function send_line(step, fd, text)
    if not socket.write(fd, text .. "\n") then
        lost(step, fd)
    end
end

--------------------------------------------------------------------------------
-- Slaves

local function read_bytes(fd)
    return decode(socket.readline(fd) or lost("auth", fd))
end

--- The handshake. Raises when it fails; the bytes of a client are checked by what decodes them.
---@param fd integer
---@param limit integer
---@return string token
---@return string secret
local function handshake(fd, limit)
    if not socket.start(fd) then
        lost("auth", fd)
    end
    socket.limit(fd, limit)

    local challenge = crypt.randomkey()
    send_line("auth", fd, encode(challenge))

    local theirs = read_bytes(fd)
    if #theirs ~= KEY_SIZE then
        error("Invalid client key", 0)
    end
    local ours = crypt.randomkey()
    send_line("auth", fd, encode(crypt.dhexchange(ours)))

    local secret = crypt.dhsecret(theirs, ours)
    if read_bytes(fd) ~= crypt.hmac64(challenge, secret) then
        error("challenge failed", 0)
    end
    return crypt.desdecode(secret, read_bytes(fd)), secret
end

---@param conf snax.loginserver.conf
local function run_slave(conf)
    local limit = conf.line_limit or LINE_LIMIT

    local function authenticate(fd)
        local token, secret = handshake(fd, limit)
        local server, uid = conf.auth_handler(token)
        return server, uid, secret
    end

    --- true and what is known of the client; false or, when it has gone, nil, and the reason.
    local function verdict(ok, ...)
        if ok then
            return true, ...
        end
        local reason = ...
        if reason == gone then
            return nil, tostring(reason)
        end
        return false, tostring(reason)
    end

    local function report(fd, ...)
        -- It is the master's to answer the client, and to close.
        socket.abandon(fd)
        skynet.retpack(...)
    end

    skynet.dispatch("lua", function(_, _, fd, address)
        skynet.error(("connect from %s (fd = %d)"):format(address, fd))
        report(fd, verdict(pcall(authenticate, fd)))
    end)
end

--------------------------------------------------------------------------------
-- The master

---@param conf snax.loginserver.conf
local function run_master(conf)
    --- The users whose login is under way.
    local entering = {}

    --- Calls login_handler, for one client of a user at a time.
    local function enter(fd, server, uid, secret)
        if conf.multilogin then
            return pcall(conf.login_handler, server, uid, secret)
        end
        if entering[uid] then
            send_line("response 406", fd, "406 Not Acceptable")
            error(("User %s is already login"):format(tostring(uid)), 0)
        end
        entering[uid] = true
        local ok, result = pcall(conf.login_handler, server, uid, secret)
        entering[uid] = nil
        return ok, result
    end

    --- Raises when there is no login.
    local function log_in(fd, server, uid, secret)
        local ok, result = enter(fd, server, uid, secret)
        if not ok then
            send_line("response 403", fd, "403 Forbidden")
            error(result, 0)
        end
        send_line("response 200", fd, "200 " .. encode(tostring(result or "")))
    end

    local function serve(slave, fd, address)
        local passed, server, uid, secret = skynet.call(slave, "lua", fd, address)
        if passed then
            log_in(fd, server, uid, secret)
            return
        end
        local reason = server
        if passed == false then
            send_line("response 401", fd, "401 Unauthorized")
        end
        error(reason, 0)
    end

    local count = conf.instance or SLAVES
    assert(count > 0, "instance must be positive")
    local port = assert(tonumber(conf.port), "port must be a number")

    skynet.dispatch("lua", function(_, _, command, ...)
        skynet.retpack(conf.command_handler(command, ...))
    end)

    local slaves = {}
    for i = 1, count do
        slaves[i] = skynet.newservice(SERVICE_NAME)
    end

    local host = conf.host or "0.0.0.0"
    local listener
    listener, _, conf.port = socket.listen(host, port)
    skynet.error(("login server listen at : %s %d"):format(host, conf.port))
    local turn = 0
    socket.start(listener, function(fd, address)
        turn = turn % count + 1
        local ok, reason = pcall(serve, slaves[turn], fd, address)
        if not ok and reason ~= gone then
            skynet.error(("invalid client (fd = %d) error = %s"):format(fd, tostring(reason)))
        end
        -- The slave has let go of it. What is still to be sent goes first.
        socket.close_fd(fd)
    end)
end

--- Makes the service a login server.
---@param conf snax.loginserver.conf
return function(conf)
    skynet.start(function()
        local name = "." .. (conf.name or "login")
        if skynet.localname(name) then
            assert(conf.auth_handler, "auth_handler is missing")
            run_slave(conf)
        else
            assert(conf.login_handler, "login_handler is missing")
            assert(conf.command_handler, "command_handler is missing")
            skynet.register(name)
            run_master(conf)
        end
    end)
end

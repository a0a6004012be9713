--- A server of requests and answers for users who have logged in, which outlives their connections.
---
--- Numbers are big-endian, and everything is in frames of two bytes of size and content. A connection begins with a
--- handshake, in which the index grows from each connection of a user to the next:
---
---     client   base64(uid)@base64(server)#base64(subid):index:base64(hmac)
---     server   200 OK; or 404 User Not Found, 403 Index Expired, 401 Unauthorized, 400 Bad Request, and it closes
---
--- The HMAC is the one of everything before it by the user's secret. Then come requests, and answers in the order they
--- are ready in:
---
---     client   content, session (4 bytes)
---     server   content, 1 or (the handler failed) 0 in one byte, session (4 bytes)
---
--- Answers are kept for a while. A session that comes again on a later connection gets its answer, not a second call of
--- the handler; on the same connection it is a new request.

local skynet = require "skynet"
local gateserver = require "snax.gateserver"
local netpack = require "skynet.netpack"
local crypt = require "skynet.crypt"
local driver = require "skynet.socketdriver"

local encode, decode = crypt.base64encode, crypt.base64decode

--- Answers that are kept, where `expired_number` is not told.
local KEPT_ANSWERS <const> = 128

skynet.register_protocol {
    name = "client",
    id = skynet.PTYPE_CLIENT,
}

---@class snax.msgserver.conf
---@field login_handler fun(uid: any, secret: string): any       the lua message "login", from the login server
---@field logout_handler fun(uid: any, subid: any): any          the lua message "logout", from an agent
---@field kick_handler fun(uid: any, subid: any): any            the lua message "kick", from the login server
---@field request_handler fun(username: string, content: string): string|nil  answers a request; it may block
---@field register_handler fun(server: string, conf: table): any  the server listens, under this name; its results answer
--- `open`, whose argument is `conf`, with `address` and `port` as they are
---@field disconnect_handler (fun(username: string))|nil          a connection of a user has gone
---@field expired_number integer|nil                              how many answers are kept for a user, at least

---@class snax.msgserver.answer
---@field fd integer|nil      who is to get it; nil: it was sent, or nobody was there
---@field packet string|nil   the frame; nil: the handler has not returned
---@field version integer|nil  the index of the connection that asked last
---@field turn integer|nil    the user's turn when it was asked for last

---@class snax.msgserver.user
---@field name string
---@field secret string
---@field version integer     the index of the latest connection
---@field fd integer|nil      that connection, while there is one
---@field address string|nil  where it came from
---@field turn integer        counts answers
---@field answers table<integer, snax.msgserver.answer>  by session

---@type table<string, snax.msgserver.user>
local users = {}

--- fd -> where it came from, of connections that have yet to send their handshake
---@type table<integer, string>
local strangers = {}

--- fd -> user, of those that have
---@type table<integer, snax.msgserver.user>
local connections = {}

local server = {}

----- users

--- The parts of a user's name.
---@param username string
---@return string uid
---@return string subid
---@return string servername
function server.userid(username)
    local uid, servername, subid = username:match "^([^@]*)@([^#]*)#(.*)$"
    assert(uid, "username must be made by msgserver.username")
    return decode(uid), decode(subid), decode(servername)
end

--- A user's name.
---@param uid string
---@param subid string|integer
---@param servername string
---@return string
function server.username(uid, subid, servername)
    return ("%s@%s#%s"):format(encode(uid), encode(servername), encode(tostring(subid)))
end

--- Lets a user connect.
---@param username string
---@param secret string what the login server agreed on with the client, 8 bytes
function server.login(username, secret)
    assert(not users[username], "username is logged in already")
    users[username] = {
        name = username,
        answers = {},
        turn = 0,
        version = 0,
        secret = secret,
    }
end

--- Closes a user's connections, and lets it connect no more.
---@param username string
function server.logout(username)
    local user = assert(users[username], "username is not logged in")
    users[username] = nil
    for fd, owner in pairs(connections) do
        if owner == user then
            connections[fd] = nil
            gateserver.closeclient(fd)
        end
    end
end

--- Where a user is connected from; nil without a connection.
---@param username string
---@return string|nil
function server.ip(username)
    local user = users[username]
    return user and user.fd and user.address
end

----- the handshake

--- What is wrong with a handshake; nil: nothing, the connection is the user's. It does not block.
---@param fd integer
---@param text string
---@return string|nil status
local function check_handshake(fd, text)
    local username, index, code = text:match "^([^:]*):([^:]*):([^:]*)"
    if not username then
        skynet.error(("Invalid handshake from %s (fd = %d)"):format(strangers[fd], fd))
    end
    local user = users[username or ""]
    if not user then
        return "404 User Not Found"
    end
    local version = tonumber(index) or error("the index of a handshake is no number", 0)
    local given = decode(code)
    if version <= user.version then
        return "403 Index Expired"
    end
    if given ~= crypt.hmac_hash(user.secret, username .. ":" .. index) then
        return "401 Unauthorized"
    end
    user.version = version
    user.fd = fd
    user.address = strangers[fd]
    connections[fd] = user
end

---@param fd integer
---@param text string
local function take_handshake(fd, text)
    local ok, status = pcall(check_handshake, fd, text)
    if not ok then
        skynet.error(status)
        status = "400 Bad Request"
    end
    strangers[fd] = nil
    driver.send(fd, netpack.pack(status or "200 OK"))
    if status then
        gateserver.closeclient(fd)
    end
end

----- requests

--- Forgets old answers, when there are twice as many as are to be kept.
---@param user snax.msgserver.user
---@param kept integer
local function expire(user, kept)
    if user.turn < 2 * kept then
        return
    end
    local latest = 0
    for session, answer in pairs(user.answers) do
        if answer.fd then
            -- Somebody waits for it.
        elseif answer.turn < kept then
            user.answers[session] = nil
        else
            answer.turn = answer.turn - kept
            latest = math.max(latest, answer.turn)
        end
    end
    user.turn = latest + 1
end

--- The answer that a session had on an earlier connection.
---@param user snax.msgserver.user
---@param session integer
---@return snax.msgserver.answer|nil
local function earlier_answer(user, session)
    local answer = user.answers[session]
    if not answer or answer.version ~= user.version then
        return answer
    end
    -- It has been asked for on this connection already: the session is used again.
    user.answers[session] = nil
    if not answer.packet then
        local reason = "Conflict session " .. crypt.hexencode(tostring(session))
        skynet.error(reason)
        error(reason, 0)
    end
end

--- Calls the handler, and makes a frame of what it returns.
---@param handler fun(username: string, content: string): string|nil
---@param user snax.msgserver.user
---@param session integer
---@param content string
---@return string packet
local function make_packet(handler, user, session, content)
    local ok, result = pcall(handler, user.name, content)
    if not ok then
        skynet.error(result)
        result = ""
    end
    return (">s2"):pack((result or "") .. (">BI4"):pack(ok and 1 or 0, session))
end

---@param conf snax.msgserver.conf
---@param fd integer
---@param text string
local function take_request(conf, fd, text)
    local user = assert(connections[fd], "invalid fd")
    local session = (">I4"):unpack(text, -4)
    local answer = earlier_answer(user, session)
    if not answer then
        answer = { fd = fd }
        user.answers[session] = answer
        local ok, packet = pcall(make_packet, conf.request_handler, user, session, text:sub(1, -5))
        if not ok then
            -- No frame can be made of the result: there will be no answer.
            if user.answers[session] == answer then
                user.answers[session] = nil
            end
            error(packet, 0)
        end
        answer.packet = packet
    else
        answer.fd = fd
    end
    answer.version, answer.turn = user.version, user.turn
    if not answer.packet then
        -- The handler still runs, for an earlier connection.
        return
    end
    user.turn = user.turn + 1
    -- While the handler ran, the user may have asked again, on another connection.
    fd, answer.fd = answer.fd, nil
    if connections[fd] then
        driver.send(fd, answer.packet)
    end
    expire(user, conf.expired_number or KEPT_ANSWERS)
end

----- the gate

--- Makes the service a msgserver. It listens when it gets the lua message "open" with a table as for a gate and a field
--- `servername`.
---@param conf snax.msgserver.conf
function server.start(conf)
    for _, name in ipairs { "login_handler", "logout_handler", "kick_handler", "request_handler" } do
        assert(conf[name], name .. " is missing")
    end

    local commands = {
        login = conf.login_handler,
        logout = conf.logout_handler,
        kick = conf.kick_handler,
    }

    ---@type snax.gateserver.handler
    local on = {}

    function on.command(name, _, ...)
        local run = assert(commands[name], "no such command")
        return run(...)
    end

    function on.open(_, gate)
        return conf.register_handler(assert(gate.servername, "servername is missing"), gate)
    end

    function on.connect(fd, address)
        strangers[fd] = address
        gateserver.openclient(fd)
    end

    function on.disconnect(fd)
        strangers[fd] = nil
        local user = connections[fd]
        if user and conf.disconnect_handler then
            local ok, reason = pcall(conf.disconnect_handler, user.name)
            if not ok then
                skynet.error(reason)
            end
        end
        connections[fd] = nil
        if user and user.fd == fd then
            user.fd = nil
        end
        -- The other side has closed; this one still has to.
        gateserver.closeclient(fd)
    end

    function on.message(fd, msg, sz)
        local text = netpack.tostring(msg, sz)
        if strangers[fd] then
            take_handshake(fd, text)
            return
        end
        local ok, reason = pcall(take_request, conf, fd, text)
        if not ok then
            skynet.error(("Invalid package %s : %s"):format(reason, text))
            if connections[fd] then
                gateserver.closeclient(fd)
            end
        end
    end

    return gateserver.start(on)
end

return server

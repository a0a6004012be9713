--- snax.loginserver and snax.msgserver, by a client that writes every byte itself.

local skynet = require "skynet"
local socket = require "skynet.socket"
local crypt = require "skynet.crypt"
local check = require "socket_check"

local encode, decode = crypt.base64encode, crypt.base64decode

local master, login_port
local gate, gate_port

local function text_of(length)
    return encode(("k"):rep(length))
end

local function expect_end(id, what)
    local more, rest = socket.read(id)
    check.equal(more or rest, "", what)
    socket.close(id)
end

----- the login server

--- The steps of a handshake, each a line, made of what has come so far. A client can put another one in its place.
local function steps(token)
    local private = crypt.randomkey()
    local challenge, secret
    return {
        function(line)
            challenge = decode(line)
            check.equal(#challenge, 8, "size of the challenge")
            return encode(crypt.dhexchange(private))
        end,
        function(line)
            check.equal(#line, 12, "size of the server's key")
            secret = crypt.dhsecret(decode(line), private)
            return encode(crypt.hmac64(challenge, secret))
        end,
        function()
            return encode(crypt.desencode(secret, token))
        end,
    }, function()
        return secret
    end
end

--- Goes through a handshake, with a line of one's own at a step (false: hangs up there).
---@return integer? id
---@return function secret
local function handshake(token, wrong_step, wrong_line, port)
    local id = assert(socket.open("127.0.0.1", port or login_port))
    local make, secret = steps(token)
    for i, step in ipairs(make) do
        -- Nothing comes between the second and the third line.
        local line = step(i < 3 and assert(socket.readline(id)))
        if i == wrong_step then
            if wrong_line == false then
                socket.close(id)
                return nil, secret
            end
            socket.write(id, wrong_line)
            return id, secret
        end
        socket.write(id, line .. "\n")
    end
    return id, secret
end

local function answered(id, line)
    check.equal(socket.readline(id), line, "the last line")
    expect_end(id, "after " .. line)
end

--- Logs a user in.
---@return { subid: string, secret: string, name: string, index: integer }
local function log_in(uid)
    local id, secret = handshake(uid .. ":sample")
    local line = assert(socket.readline(id))
    local subid = decode(line:match "^200 (.*)$")
    expect_end(id, "after the login")
    local name = ("%s@%s#%s"):format(encode(uid), encode "sample", encode(subid))
    return { subid = subid, secret = secret(), name = name, index = 0 }
end

local function logins()
    check.equal(log_in("first").subid, "1", "subid")
    check.equal(log_in("second").subid, "2", "subid")
    -- A handler that has nothing to say.
    answered(handshake "nothing:sample", "200 ")
    -- A line byte by byte.
    local id, secret = handshake("first:sample", 3, "")
    for byte in (encode(crypt.desencode(secret(), "first:sample")) .. "\n"):gmatch "." do
        socket.write(id, byte)
        skynet.yield()
    end
    answered(id, "200 " .. encode "3")
end

local function refused_logins()
    for _, wrong in ipairs {
        { 1, "!!!!\n" },
        { 1, "\n" },
        { 1, text_of(7) .. "\n" },
        { 1, text_of(9) .. "\n" },
        { 2, "\xff\xfe\0\n" },
        { 2, text_of(8) .. "\n" },
        { 3, "%\n" },
        { 3, text_of(7) .. "\n" },
        { 3, text_of(8) .. "\n" },
    } do
        answered(handshake("first:sample", wrong[1], wrong[2]), "401 Unauthorized")
    end
    -- What is wrong with this key is found when the server's is sent already.
    local id = handshake("first:sample", 1, encode(("\0"):rep(8)) .. "\n")
    check.equal(#assert(socket.readline(id)), 12, "size of the server's key")
    answered(id, "401 Unauthorized")
    answered(handshake "nobody:sample", "401 Unauthorized")
    answered(handshake "\0\xff\n", "401 Unauthorized")
    answered(handshake "first:other", "403 Forbidden")
    for step = 1, 3 do
        handshake("first:sample", step, false)
    end
end

--- More than the server is willing to keep, without a newline.
local function endless_lines()
    for step = 1, 3 do
        local id = handshake("first:sample", step, ("A"):rep(5000))
        -- An answer must not come; what is not read makes the end a reset.
        check.equal(socket.readline(id), false, "after an endless line")
        socket.close(id)
    end
end

local function one_login_at_a_time()
    local slow = handshake "slow:sample"
    check.eventually("the login waits", function() return skynet.call(master, "lua", "held") end)
    answered(handshake "slow:sample", "406 Not Acceptable")
    log_in "other"
    skynet.call(master, "lua", "release")
    assert(socket.readline(slow):match "^200 ")
    socket.close(slow)
    -- And then again.
    slow = handshake "slow:sample"
    check.eventually("the login waits", function() return skynet.call(master, "lua", "held") end)
    skynet.call(master, "lua", "release")
    assert(socket.readline(slow):match "^200 ")
    socket.close(slow)
end

local function several_logins_at_a_time()
    local many = skynet.newservice "login_many"
    local port = skynet.call(many, "lua")
    local first = handshake("same", nil, nil, port)
    check.eventually("the login waits", function() return select(2, skynet.call(many, "lua")) end)
    answered(handshake("same", nil, nil, port), "200 " .. encode "second")
    answered(first, "200 " .. encode "first")
end

----- the msgserver

local function send_frame(id, text)
    socket.write(id, (">s2"):pack(text))
end

local function read_frame(id)
    local header = socket.read(id, 2)
    return header and socket.read(id, (">I2"):unpack(header))
end

local function send_request(id, session, text)
    send_frame(id, text .. (">I4"):pack(session))
end

--- An answer must be of that session, with this content; false: it says that the request failed.
local function expect_answer(id, session, content)
    local frame = assert(read_frame(id), "closed")
    local text, ok, of = (">c%dBI4"):format(#frame - 5):unpack(frame)
    check.equal(of, session, "session of the answer")
    if content then
        check.equal(ok, 1, "flag of the answer")
        check.equal(text, content, "answer")
    else
        check.equal(ok, 0, "flag of the answer")
        check.equal(text, "", "answer of a request that failed")
    end
end

local function greeting(user, index)
    local text = user.name .. ":" .. index
    return text .. ":" .. encode(crypt.hmac64(crypt.hashkey(text), user.secret))
end

---@return integer id
---@return string? status
local function greet(text)
    local id = assert(socket.open("127.0.0.1", gate_port))
    send_frame(id, text)
    return id, read_frame(id)
end

local function connect(user)
    user.index = user.index + 1
    local id, status = greet(greeting(user, user.index))
    check.equal(status, "200 OK", "status")
    return id
end

local function happened()
    return skynet.call(gate, "lua", "kick", "events")
end

--- What has happened must be this, now or soon.
local function expect_events(text)
    local all = ""
    check.eventually(text, function()
        local more = happened()
        all = all .. (all ~= "" and more ~= "" and " " or "") .. more
        return #all >= #text
    end)
    check.equal(all, text, "events")
end

local function requests()
    local user = log_in "ann"
    local id = connect(user)
    for session, order in pairs { [0] = "hello", [0xffffffff] = "high", [0x01020304] = "bytes" } do
        send_request(id, session, order)
        expect_answer(id, session, order:upper())
    end
    send_request(id, 5, "who")
    expect_answer(id, 5, "ann")
    send_request(id, 6, "")
    expect_answer(id, 6, "")
    send_request(id, 7, "nothing")
    expect_answer(id, 7, "")
    send_request(id, 8, "fail")
    expect_answer(id, 8, false)
    send_request(id, 9, "large 65530")
    expect_answer(id, 9, ("x"):rep(65530))
    -- A session of this connection can be used again.
    happened()
    send_request(id, 9, "again")
    expect_answer(id, 9, "AGAIN")
    send_request(id, 9, "again")
    expect_answer(id, 9, "AGAIN")
    expect_events "again again"
    -- All in one piece, and the handshake too.
    local text = greeting(user, 2)
    local other = assert(socket.open("127.0.0.1", gate_port))
    user.index = 2
    socket.write(other, (">s2s2s2"):pack(text, "a\0\0\0\1", "b\0\0\0\2"))
    check.equal(read_frame(other), "200 OK", "status")
    expect_answer(other, 1, "A")
    expect_answer(other, 2, "B")
    check.equal(skynet.call(gate, "lua", "kick", "ip", "ann", user.subid, "sample"):match "^127.0.0.1", "127.0.0.1", "ip")
    happened()
    socket.close(id)
    socket.close(other)
    local gone = ("-ann/%s/sample"):format(user.subid)
    expect_events(gone .. " " .. gone)
end

local function reconnecting()
    local user = log_in "bob"
    local id = connect(user)
    -- An answer that has been sent is sent again, and the request does not run again.
    send_request(id, 1, "one")
    expect_answer(id, 1, "ONE")
    send_request(id, 2, "wait two")
    check.eventually("the request waits", function() return skynet.call(gate, "lua", "kick", "held") end)
    socket.close(id)
    expect_events(("one wait two -bob/%s/sample"):format(user.subid))
    id = connect(user)
    send_request(id, 1, "not looked at")
    expect_answer(id, 1, "ONE")
    -- One that is not ready goes to who asked last.
    send_request(id, 2, "not looked at")
    send_request(id, 3, "three")
    expect_answer(id, 3, "THREE")
    skynet.call(gate, "lua", "kick", "release")
    expect_answer(id, 2, "WAIT TWO")
    expect_events "three"
    -- Now its session is one of this connection.
    send_request(id, 2, "next")
    expect_answer(id, 2, "NEXT")
    expect_events "next"
    -- An answer that nobody waited for is there for the next connection.
    send_request(id, 4, "wait four")
    check.eventually("the request waits", function() return skynet.call(gate, "lua", "kick", "held") end)
    socket.close(id)
    skynet.call(gate, "lua", "kick", "release")
    expect_events(("wait four -bob/%s/sample"):format(user.subid))
    id = connect(user)
    send_request(id, 4, "not looked at")
    expect_answer(id, 4, "WAIT FOUR")
    expect_events ""
    -- A session that is in use: the same one twice on a connection after that of the request.
    send_request(id, 5, "wait five")
    check.eventually("the request waits", function() return skynet.call(gate, "lua", "kick", "held") end)
    send_request(id, 5, "")
    send_request(id, 5, "")
    expect_end(id, "after a conflict")
    skynet.call(gate, "lua", "kick", "release")
    expect_events(("wait five -bob/%s/sample"):format(user.subid))
end

--- The msgserver keeps 4 answers, the newest, and forgets others only in bulk.
local function expiry()
    local user = log_in "eve"
    local id = connect(user)
    for session = 1, 20 do
        send_request(id, session, "n" .. session)
        expect_answer(id, session, "N" .. session)
    end
    socket.close(id)
    check.eventually("the end of the connection", function() return happened():find "-eve" end)
    id = connect(user)
    local kept = {}
    for session = 20, 1, -1 do
        send_request(id, session, "again" .. session)
        local frame = assert(read_frame(id))
        if frame:find "^N" then
            table.insert(kept, session)
        end
    end
    check.equal(table.concat(kept, " "), "20 19 18 17", "kept")
    socket.close(id)
    check.eventually("the end of the connection", function() return happened():find "-eve" end)
end

local function refused_connections()
    local user = log_in "carl"
    local stranger = { name = "eA==@eA==#eA==", secret = user.secret }
    local impostor = { name = user.name, secret = ("x"):rep(8) }
    local id = connect(user)
    for _, wrong in ipairs {
        { greeting(stranger, 9), "404 User Not Found" },
        { greeting(impostor, 9), "401 Unauthorized" },
        { greeting(user, 1), "403 Index Expired" },
        { greeting(user, 0), "403 Index Expired" },
        { greeting(user, -1), "403 Index Expired" },
        { greeting(user, "one"), "400 Bad Request" },
        { user.name .. "::", "400 Bad Request" },
        { user.name .. ":9:%", "400 Bad Request" },
        { user.name .. ":9:", "401 Unauthorized" },
        { user.name .. ":9", "404 User Not Found" },
        { user.name, "404 User Not Found" },
        { "::", "404 User Not Found" },
        { "", "404 User Not Found" },
        { ("\xff\0:"):rep(3), "404 User Not Found" },
        { ("x"):rep(0xffff), "404 User Not Found" },
    } do
        local other, status = greet(wrong[1])
        check.equal(status, wrong[2], "status")
        expect_end(other, "after " .. status)
    end
    -- The connection of the user has not noticed.
    send_request(id, 1, "still here")
    expect_answer(id, 1, "STILL HERE")
    -- Bad packets.
    for _, packet in ipairs { "", "abc", "large 65531\0\0\0\9" } do
        local other = connect(user)
        send_frame(other, packet)
        expect_end(other, "after a bad packet")
    end
    send_request(id, 2, "still here")
    expect_answer(id, 2, "STILL HERE")
    socket.close(id)
    check.eventually("the end of the connection", function() return happened():find "-carl" end)
end

local function logouts()
    local user = log_in "dora"
    local first, second = connect(user), connect(user)
    happened()
    skynet.call(gate, "lua", "logout", "dora", user.subid)
    expect_end(second, "after the logout")
    expect_end(first, "after the logout")
    local id, status = greet(greeting(user, 9))
    check.equal(status, "404 User Not Found", "after the logout")
    expect_end(id, "after the logout")
    expect_events ""
    assert(not pcall(skynet.call, gate, "lua", "logout", "dora", user.subid))
    assert(not pcall(skynet.call, gate, "lua", "dance"))

    -- A newer connection stays the user's when the older one goes.
    user = log_in "dora"
    first, second = connect(user), connect(user)
    socket.close(first)
    expect_events(("-dora/%s/sample"):format(user.subid))
    assert(skynet.call(gate, "lua", "kick", "ip", "dora", user.subid, "sample"))
    socket.close(second)
    expect_events(("-dora/%s/sample"):format(user.subid))
    check.eventually("no address", function()
        return skynet.call(gate, "lua", "kick", "ip", "dora", user.subid, "sample") == nil
    end)
end

--- Bytes that mean nothing, the same ones each time.
local function garbage()
    math.randomseed(20)
    local function bytes()
        local list = {}
        for i = 1, math.random(0, 300) do
            -- Newlines and colons are what gets somewhere.
            list[i] = math.random(8) == 1 and ("\n:"):byte(math.random(2)) or math.random(0, 255)
        end
        return string.char(table.unpack(list))
    end
    local user = log_in "fred"
    for _ = 1, 50 do
        local id = assert(socket.open("127.0.0.1", login_port))
        socket.write(id, bytes() .. "\n\n\n")
        -- The challenge, perhaps a key, and the refusal.
        repeat
            local line = assert(socket.readline(id), "closed without an answer")
        until line == "401 Unauthorized"
        expect_end(id, "after garbage")

        local other, status = greet(bytes())
        assert(status:match "^40[04] ", status)
        expect_end(other, "after " .. status)

        local own = connect(user)
        send_frame(own, bytes():sub(1, 3))
        expect_end(own, "after a packet that is too short")
    end
    log_in "gina"
    check.eventually("the ends of all connections", function()
        return skynet.call(gate, "lua", "kick", "ip", "fred", user.subid, "sample") == nil
    end)
    happened()
end

--- Whatever the clients did, no socket is left.
local function nothing_left()
    local function connections()
        local count = 0
        for _, info in ipairs(socket.netstat()) do
count = count + (info.type == "LISTEN" and 0 or 1)
        end
        return count
    end
    for _ = 1, 20 do
        socket.close(assert(socket.open("127.0.0.1", gate_port)))
        socket.close(assert(socket.open("127.0.0.1", login_port)))
        local id = assert(socket.open("127.0.0.1", gate_port))
        socket.write(id, "\0")
        socket.close(id)
    end
    local careless = log_in "careless"
    socket.close(connect(careless))
    check.eventually("all sockets are closed", function() return connections() == 0 end)
end

skynet.init(function()
    master = skynet.newservice "login_server"
    gate = skynet.newservice "login_gate"
    login_port = skynet.call(master, "lua", "gate", gate)
    local conf = {
        address = "127.0.0.1",
        port = tonumber(skynet.getenv "gate_port"),
        maxclient = 64,
        servername = "sample",
    }
    gate_port = skynet.call(gate, "lua", "open", conf) or conf.port
end)

check.main {
    { "logins", logins },
    { "refused_logins", refused_logins },
    { "endless_lines", endless_lines },
    { "one_login_at_a_time", one_login_at_a_time },
    { "several_logins_at_a_time", several_logins_at_a_time },
    { "requests", requests },
    { "reconnecting", reconnecting },
    { "expiry", expiry },
    { "refused_connections", refused_connections },
    { "logouts", logouts },
    { "garbage", garbage },
    { "nothing_left", nothing_left },
}

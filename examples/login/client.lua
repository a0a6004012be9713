--- A player: logs in, plays, loses the connection with an answer still to come, connects again and gets it.
---
---     skynet lua examples/login/client.lua [HOST:]PORT [PLAYER PASSWORD]
---
--- The port is the login server's; the game server's comes with the login. Exit code: 0 if all went as it should.

local socket = require "client.socket"
local crypt = require "client.crypt"

local encode, decode = crypt.base64encode, crypt.base64decode

local HOST <const> = "127.0.0.1"
local SERVER <const> = "castle"
local DEADLINE <const> = 30 -- seconds for an answer
local PAUSE <const> = 1000 -- microseconds, when nothing has come

local place, player, password = ...
local host, login_port = tostring(place):match "^(.-):?(%d+)$"
if not host then
    io.stderr:write "usage: skynet lua client.lua [HOST:]PORT [PLAYER PASSWORD]\n"
    os.exit(1)
end
host = host ~= "" and host or HOST
player, password = player or "alice", password or "wonderland"

----- a connection, read by lines and by frames

---@class connection
---@field fd integer
---@field received string what has come and was not read
local connection = {}
connection.__index = connection

---@param port integer
---@return connection
local function connect(port)
    return setmetatable({ fd = socket.connect(host, port), received = "" }, connection)
end

function connection:close()
    socket.close(self.fd)
end

--- Reads what `take` finds at the beginning: it returns that, and where the rest begins, or nil if it is not all there.
---@param take fun(received: string): string?, integer?
---@return string
function connection:read(take)
    local deadline = os.time() + DEADLINE
    while true do
        local content, rest = take(self.received)
        if content then
            self.received = self.received:sub(rest)
            return content
        end
        local piece = socket.recv(self.fd)
        assert(piece ~= "", "the server has closed the connection")
        assert(os.time() <= deadline, "the server does not answer")
        if piece then
            self.received = self.received .. piece
        else
            socket.usleep(PAUSE)
        end
    end
end

function connection:read_line()
    return self:read(function(received)
        return received:match "^([^\n]*)\n()"
    end)
end

function connection:write_line(text)
    socket.send(self.fd, text .. "\n")
end

function connection:read_frame()
    return self:read(function(received)
        if #received >= 2 and #received >= 2 + (">I2"):unpack(received) then
            return (">s2"):unpack(received)
        end
    end)
end

function connection:write_frame(text)
    socket.send(self.fd, (">s2"):pack(text))
end

--- Whether nothing comes any more.
function connection:closed()
    local ok, reason = pcall(self.read_frame, self)
    return not ok and tostring(reason):find("closed", 1, true) ~= nil
end

----- the login server

---@return string ticket
---@return integer port where the game server is
---@return string secret
local function log_in()
    local server = connect(assert(math.tointeger(login_port)))
    local challenge = decode(server:read_line())
    local key = crypt.randomkey()
    server:write_line(encode(crypt.dhexchange(key)))
    local secret = crypt.dhsecret(decode(server:read_line()), key)
    server:write_line(encode(crypt.hmac64(challenge, secret)))
    local token = ("%s@%s:%s"):format(player, SERVER, password)
    server:write_line(encode(crypt.desencode(secret, token)))
    local line = server:read_line()
    server:close()
    local content = line:match "^200 (.*)$"
    if not content then
        error("no login: " .. line, 0)
    end
    local ticket, port = decode(content):match "^(%d+) (%d+)$"
    return ticket, assert(math.tointeger(port)), secret
end

local ticket, game_port, secret = log_in()
print(("%s has ticket %s"):format(player, ticket))

----- the game server

local index = 0

--- The index is another one each time, so that nobody else can use what was sent before.
---@return connection
local function enter()
    index = index + 1
    local server = connect(game_port)
    local text = ("%s@%s#%s:%d"):format(encode(player), encode(SERVER), encode(ticket), index)
    server:write_frame(text .. ":" .. encode(crypt.hmac64(crypt.hashkey(text), secret)))
    local status = server:read_frame()
    assert(status == "200 OK", status)
    print(("connection %d: %s"):format(index, status))
    return server
end

local function ask(server, session, order)
    server:write_frame(order .. (">I4"):pack(session))
end

--- The next answer, and whose it is.
---@return string content
---@return integer session
local function answer(server)
    local frame = server:read_frame()
    local content, ok, session = (">c" .. #frame - 5 .. "BI4"):unpack(frame)
    if ok ~= 1 then
        content = "failed"
    end
    print(("answer %d: %s"):format(session, content))
    return content, session
end

local function expect(server, session, content)
    local got, of = answer(server)
    assert(got == content and of == session, "this is not the answer that should have come")
end

local server = enter()
ask(server, 1, "take 5")
expect(server, 1, "5")
ask(server, 2, "take the moon")
expect(server, 2, "failed")
-- The connection is lost with one answer on its way and one that was read but, say, not saved.
ask(server, 3, "think 20")
server:close()

server = enter()
-- The server knows these sessions: nothing is taken twice, and the content does not matter.
ask(server, 1, "")
expect(server, 1, "5")
ask(server, 3, "")
-- A new one does not wait for it.
ask(server, 4, "take 2")
expect(server, 4, "7")
expect(server, 3, "it was " .. player)
ask(server, 5, "leave")
expect(server, 5, "farewell")
assert(server:closed(), "the player has left")
server:close()
print "done"

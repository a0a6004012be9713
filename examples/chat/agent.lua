--- A player's agent: passes on what the client asks of the room, and what the room tells the client. It ends a client
--- that does not keep to the protocol.

local skynet = require "skynet"
local socket = require "skynet.socket"
local sprotoloader = require "sprotoloader"

--- Bytes.
local LONGEST_NAME <const> = 20
local LONGEST_TEXT <const> = 500

--- Requests at a time.
local MOST_REQUESTS <const> = 64

---@class chat.connection
---@field fd integer
---@field gate integer
---@field watchdog integer

---@type chat.connection
local connection
local room
local ended = false
local under_way = 0 -- requests

---@type sproto.host
local host
local notice

--- Ends the connection, and with it this service.
---@param reason string? for the log
local function finish(reason)
    if not ended then
        ended = true
        if reason then
            skynet.error(("Client %d %s"):format(connection.fd, reason))
        end
        skynet.send(connection.watchdog, "lua", "close", connection.fd)
    end
end

---@param message string
local function send(message)
    if not ended then
        socket.write(connection.fd, string.pack(">s2", message))
    end
end

--- What the client may ask. A function gets the arguments and returns the response.
local requests = {}

local function is_text(text, longest)
    return type(text) == "string" and #text > 0 and #text <= longest and not text:find "%c"
end

function requests.enter(arguments)
    if not is_text(arguments.name, LONGEST_NAME) then
        return { refused = ("a name has 1 to %d bytes, and no control characters"):format(LONGEST_NAME) }
    end
    local players, refused = skynet.call(room, "lua", "enter", arguments.name)
    return { players = players, refused = refused }
end

function requests.say(arguments)
    if not is_text(arguments.text, LONGEST_TEXT) then
        return { refused = ("a text has 1 to %d bytes, and no control characters"):format(LONGEST_TEXT) }
    end
    return { refused = skynet.call(room, "lua", "say", arguments.text) }
end

function requests.who()
    return { players = skynet.call(room, "lua", "who") }
end

function requests.leave()
    finish()
end

skynet.register_protocol {
    id = skynet.PTYPE_CLIENT,
    name = "client",
    unpack = function(message, size)
        return pcall(host.dispatch, host, message, size)
    end,
    dispatch = function(_, _, understood, kind, name, arguments, respond)
        -- The session is the connection's number: there is nobody to answer.
        skynet.ignoreret()
        if ended then
            return
        end
        local request = understood and kind == "REQUEST" and requests[name]
        if not request then
            finish "does not speak the protocol"
            return
        elseif under_way >= MOST_REQUESTS then
            finish "asks too much at once"
            return
        end
        under_way = under_way + 1
        local response = request(arguments)
        under_way = under_way - 1
        if respond then
            send(respond(response))
        end
    end,
}

--- What the watchdog and the room want.
local commands = {}

---@param with chat.connection
function commands.start(with)
    connection = with
    local schema = sprotoloader.load()
    host = schema:host()
    notice = host:attach(schema)
    skynet.call(with.gate, "lua", "forward", with.fd)
end

--- The connection is gone.
function commands.stop()
    ended = true
    skynet.call(room, "lua", "leave")
    skynet.exit()
end

--- Something happened in the room.
---@param name string of a protocol
---@param arguments table
function commands.tell(name, arguments)
    send(notice(name, arguments))
end

skynet.start(function()
    room = skynet.queryservice "room"
    skynet.dispatch("lua", function(_, _, name, ...)
        commands[name](...)
    end)
end)

--- A client of the chat.
---
---     skynet lua examples/chat/client.lua [HOST:]PORT NAME [LINE ...]
---
--- A line is said to all. These are commands: `/who` lists the players, `/leave` ends the client, and `/wait TEXT` goes
--- on when something with this text has come. Lines are read from standard input, unless there are arguments: then the
--- client takes those, one after the other, and leaves. Exit code: 0 if it has left by itself.

local socket = require "client.socket"
local sproto = require "sproto"

local HOST <const> = "127.0.0.1"
local DEADLINE <const> = 30 -- seconds for `/wait`, and for getting in
local PAUSE <const> = 10000 -- microseconds, when there was nothing to do

local function fail(text)
    io.stderr:write(text, "\n")
    os.exit(1)
end

local function schema()
    local directory = arg[0]:match "^(.*/)" or ""
    local file = assert(io.open(directory .. "chat.sproto"))
    local text = file:read "a"
    file:close()
    return sproto.parse(text)
end

local place, name = ...
local host, port = tostring(place):match "^(.-):?(%d+)$"
if not (port and name) then
    fail "usage: skynet lua client.lua [HOST:]PORT NAME [LINE ...]"
end

local protocol = schema()
local peer = protocol:host()
local make_request = peer:attach(protocol)
local connection = socket.connect(host ~= "" and host or HOST, assert(math.tointeger(tonumber(port))))

--- What has been shown and not been waited for yet.
local shown = {}

local function show(text)
    print(text)
    io.stdout:flush()
    shown[#shown + 1] = text
end

--- The state of the client.
local inside, leaving = false, false
local waiting ---@type { text: string, deadline: integer }?

--- session -> what to do with the response
local responses = {}
local session = 0

local function request(what, arguments, on_response)
    local number
    if on_response then
        session = session + 1
        number = session
        responses[number] = on_response
    end
    socket.send(connection, string.pack(">s2", make_request(what, arguments, number)))
end

local function here(players)
    show("* here: " .. table.concat(players, ", "))
end

--- What the server tells.
local notices = {}

function notices.entered(arguments)
    show(("* %s has come"):format(arguments.name))
end

function notices.said(arguments)
    show(("%s: %s"):format(arguments.name, arguments.text))
end

function notices.left(arguments)
    show(("* %s has gone"):format(arguments.name))
end

local function take(message)
    local kind, what, content = peer:dispatch(message)
    if kind == "REQUEST" then
        notices[what](content)
    else
        local on_response = responses[what]
        responses[what] = nil
        on_response(content)
    end
end

local function leave()
    leaving = true
    request "leave"
end

local function wait(text)
    waiting = { text = text, deadline = os.time() + DEADLINE }
end

--- Whether what is waited for has come.
local function came()
    while #shown > 0 do
        if table.remove(shown, 1):find(waiting.text, 1, true) then
            return true
        end
    end
    if os.time() > waiting.deadline then
        fail(("nothing with %q has come"):format(waiting.text))
    end
    return false
end

local function obey(line)
    local command, rest = line:match "^/(%a+) ?(.*)$"
    if command == "who" then
        request("who", nil, function(response)
            here(response.players)
        end)
    elseif command == "leave" then
        leave()
    elseif command == "wait" then
        wait(rest)
    elseif command then
        show "! /who, /leave and /wait are all there is"
    elseif line ~= "" then
        request("say", { text = line }, function(response)
            if response.refused then
                show("! " .. response.refused)
            end
        end)
    end
end

local lines = select("#", ...) > 2 and table.pack(select(3, ...))
local next_line = 1

--- Does what the next line says; false if there is none at the moment.
local function go_on()
    if not lines then
        local line = socket.readstdin()
        if line then
            obey(line)
        end
        return line ~= nil
    end
    if next_line > lines.n then
        leave()
    else
        next_line = next_line + 1
        obey(lines[next_line - 1])
    end
    return true
end

request("enter", { name = name }, function(response)
    if response.refused then
        fail("! " .. response.refused)
    end
    inside = true
    here(response.players)
end)

local received = ""
local deadline = os.time() + DEADLINE

while true do
    local piece = socket.recv(connection)
    if piece == "" then
        if leaving then
            os.exit(0)
        end
        fail "the server has closed the connection"
    end
    received = received .. (piece or "")
    local at = 1
    while #received - at >= 1 and #received - at - 1 >= string.unpack(">I2", received, at) do
        local message
        message, at = string.unpack(">s2", received, at)
        take(message)
    end
    received = received:sub(at)

    if waiting and came() then
        waiting = nil
    end
    if not inside and os.time() > deadline then
        fail "the server does not answer"
    end
    local busy = piece or inside and not leaving and not waiting and go_on()
    if not busy then
        socket.usleep(PAUSE)
    end
end

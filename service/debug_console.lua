--- A console for people: listens on a port, runs the commands of skynet.consolecommand, one a line. A web client may ask
--- for one command, as a path or as the body of a POST.
--- Arguments: [address] port.

local skynet = require "skynet"
local socket = require "skynet.socket"
local run = require "skynet.consolecommand"
local format = require "skynet.consoleformat"

--- The longest line, and body of a web client's request. Bytes.
local LIMIT <const> = math.tointeger(tonumber(skynet.getenv "debug_console_limit" or 65536))
assert(LIMIT and LIMIT > 0, "debug_console_limit: a number of bytes expected")

local arguments = table.pack(...)
assert(arguments.n == 1 or arguments.n == 2, "debug_console: [address] port expected")
local port = math.tointeger(tonumber(arguments[arguments.n]))
assert(port, "debug_console: a port expected")
local address = arguments.n == 2 and arguments[1] or "127.0.0.1"

--- A client.
---@class debug_console.connection
---@field id integer      its socket
---@field lent boolean    the lines are a debugger's
---@field reader boolean|nil  a task reads them for it
---@field left string|nil what that task has read when the debugger was gone
---@field waiting thread|nil  waits for that task to end
local connection = {}
connection.__index = connection

function connection:print(lines)
    lines[#lines + 1] = ""
    socket.write(self.id, table.concat(lines, "\n"))
end

--- From now on until the command ends, `take` gets the lines. The last one is "cont".
function connection:lend(take)
    self.lent = true
    self.reader = true
    skynet.fork(function()
        local line
        repeat
            line = socket.readline(self.id, "\n", LIMIT)
            if not self.lent then
                self.left = line or nil
                break
            end
            line = line and line:gsub("\r$", "") or "cont"
            take(line)
        until line == "cont"
        self.reader = false
        if self.waiting then
            skynet.wakeup(self.waiting)
        end
    end)
end

function connection:read()
    if self.reader then
        self.waiting = coroutine.running()
        skynet.wait()
        self.waiting = nil
    end
    local line = self.left
    self.left = nil
    if not line then
        line = socket.readline(self.id, "\n", LIMIT)
        if line == nil then
            skynet.error(("debug_console: a line of more than %d bytes"):format(LIMIT))
        end
    end
    return line
end

function connection:execute(line)
    local ok, result = run(line, self)
    self.lent = false
    local lines = {}
    if ok then
        if result then
            lines = format(result)
        end
        lines[#lines + 1] = "<CMD OK>"
    else
        if ok == nil then
            lines[1] = "Invalid command, type help for command list"
        end
        lines[#lines + 1] = result and tostring(result) or ""
        lines[#lines + 1] = "<CMD Error>"
    end
    self:print(lines)
end

-- The command in a web client's request, if the line begins one.
function connection:web_command(line)
    local method = line:match "^(%u+) "
    if method ~= "GET" and method ~= "POST" then
        return
    end
    local httpd = require "http.httpd"
    local helper = require "http.sockethelper"
    local code, url, _, _, body = httpd.read_request(helper.readfunc(self.id, line .. "\n"), LIMIT)
    if code ~= 200 then
        error("bad request: " .. tostring(code or url), 0)
    end
    if method == "POST" then
        return body
    end
    return (url:sub(2):gsub("/", " "))
end

function connection:serve()
    local line, requested
    repeat
        line = self:read()
        requested = line and self:web_command(line)
        if requested or line and line ~= "" then
            self:execute(requested or line)
        end
    until not line or requested
end

local function accept(id, peer)
    local client = setmetatable({ id = id, lent = false }, connection)
    socket.start(id)
    skynet.fork(function()
        client:print { "Welcome to skynet console" }
        skynet.error(peer, "connected")
        local ok, reason = pcall(client.serve, client)
        if not ok then
            skynet.error(id, reason)
        end
        skynet.error(peer, "disconnect")
        socket.close(id)
    end)
end

skynet.start(function()
    local listener, bound_address, bound_port = socket.listen(address, port)
    skynet.error(("Start debug console at %s:%s"):format(bound_address, bound_port))
    socket.start(listener, accept)
end)

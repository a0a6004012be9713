-- Answers the requests of some connections, one after the other, until they close.

local skynet = require "skynet"
local socket = require "skynet.socket"
local driver = require "skynet.socketdriver"
local httpd = require "http.httpd"
local sockethelper = require "http.sockethelper"
local url = require "http.url"

local LARGEST_BODY <const> = 8192
local HEADER <const> = { ["content-type"] = "text/plain" }

local function serve(fd)
    socket.start(fd)
    driver.nodelay(fd)
    local read, write = sockethelper.readfunc(fd), sockethelper.writefunc(fd)
    while true do
        local code, target, method = httpd.read_request(read, LARGEST_BODY)
        if not code then
            break
        end
        local path, query = url.parse(target)
        local x = url.parse_query(query).x
        local body = ("%s of %s with %s\n"):format(method, path, x)
        if not httpd.write_response(write, code, body, HEADER) then
            break
        end
    end
    socket.close(fd)
end

skynet.start(function()
    skynet.dispatch("lua", function(_, _, fd)
        serve(fd)
    end)
end)

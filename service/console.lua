--- Reads standard input: each line names a service, and its arguments, to launch; with `snax` in front, a snax service.

local skynet = require "skynet"
local socket = require "skynet.socket"

local function launch(line)
    local words = {}
    for word in line:gmatch "%S+" do
        table.insert(words, word)
    end
    local name = words[1]
    if not name then
        return
    end
    local ok, reason
    if name == "snax" then
        name = table.concat(words, " ", 1, math.min(2, #words))
        ok, reason = pcall(require "skynet.snax".newservice, table.unpack(words, 2))
    else
        ok, reason = pcall(skynet.newservice, line)
    end
    if not ok then
        skynet.error(string.format("console: %s: %s", name, reason))
    end
end

local function read_lines()
    local stdin, reason = socket.stdin()
    if not stdin then
        skynet.error("console: standard input cannot be read: " .. tostring(reason))
        return
    end
    local line, rest
    repeat
        line, rest = socket.readline(stdin)
        -- The last line may lack its end.
        launch(line or rest)
    until not line
    socket.close(stdin)
end

skynet.start(function()
    skynet.fork(function()
        read_lines()
        skynet.exit()
    end)
end)

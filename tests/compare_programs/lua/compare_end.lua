-- Ends the node when the harness asks for it, through two files in the current
-- directory. `compare_mark` asks for a line in the log: what any service has
-- logged before it is then in the log too. `compare_abort` asks for ABORT.

local skynet = require "skynet"
require "skynet.manager"

---Hundredths of a second between two looks.
local INTERVAL <const> = 5

---@param name string
---@return boolean
local function exists(name)
    local file = io.open(name)
    if file then
        file:close()
    end
    return file ~= nil
end

---@param name string
local function await(name)
    while not exists(name) do
        skynet.sleep(INTERVAL)
    end
end

skynet.start(function()
    skynet.fork(function()
        await "compare_mark"
        skynet.error "compare: mark"
        await "compare_abort"
        skynet.abort()
    end)
end)

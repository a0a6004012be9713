--- Plays the tutorial: types what `exchanges` says, as the console would, and waits for the lines it expects. The node
--- ends with it. Needs tutorial_log as the node's log service.

local skynet = require "skynet.manager"
local exchanges = require "exchanges"

local DEADLINE <const> = 1000 -- centiseconds for the lines of one exchange
local LOG <const> = ".logger"

--- Every line logged since the exchange began: { source, text }.
local log = {}
local log_grew = {}

skynet.dispatch("lua", function(_, _, source, text)
    log[#log + 1] = { source = source, text = text }
    skynet.wakeup(log_grew)
end)

local PLACEHOLDERS <const> = {
    n = "%-?%x+",
    address = ":?%x+",
    co = "thread: 0?x?%x+",
    any = ".*",
}

local function pattern_of(line)
    local escaped = line:gsub("[%^%$%(%)%%%.%[%]%*%+%-%?]", "%%%0")
    return "^" .. escaped:gsub("{(%a+)}", PLACEHOLDERS) .. "$"
end

-- Waits for the lines, in this order, in what `source` logs. Returns the one that is missing at the deadline.
local function wait_for(source, lines, deadline)
    local at = 1
    for _, line in ipairs(lines) do
        local pattern = pattern_of(line)
        while true do
            local entry = log[at]
            if entry then
                at = at + 1
                if entry.source == source and entry.text:find(pattern) then
                    break
                end
            else
                local left = deadline - skynet.now()
                if left <= 0 then
                    return line
                end
                skynet.sleep(left, log_grew)
            end
        end
    end
end

local function play(exchange, commands)
    log = {}
    local deadline = skynet.now() + DEADLINE
    local handles = {}

    -- Waits for a program's lines; if one does not come, says which.
    local function missing(index, lines)
        local line = wait_for(handles[index], lines, deadline)
        return line and ("[%s] %s"):format(commands[index], line)
    end

    for i, command in ipairs(commands) do
        local after = exchange.type[i].after
        local line = after and missing(after[1], { after[2] })
        if line then
            return line
        end
        local ok, handle = pcall(skynet.newservice, command)
        if not ok then
            return ("[%s] its start: %s"):format(command, handle)
        end
        handles[i] = handle
    end
    for _, sequence in ipairs(exchange.lines) do
        local line = missing(sequence[1], { table.unpack(sequence, 2) })
        if line then
            return line
        end
    end
    -- The next exchange uses the same names. Some programs have ended by themselves, which is no error.
    for _, handle in ipairs(handles) do
        skynet.kill(handle)
    end
end

-- Returns when it is printed.
local function say(...)
    skynet.call(LOG, "lua", "print", string.format(...))
end

local function typed(exchange)
    local commands = {}
    for i, step in ipairs(exchange.type) do
        commands[i] = step[1]
    end
    return commands
end

skynet.start(function()
    skynet.send(LOG, "lua", "watch")
    for i, exchange in ipairs(exchanges) do
        local commands = typed(exchange)
        say("-- %d. %s: %s", i, exchange.title, table.concat(commands, ", "))
        local line = play(exchange, commands)
        if line then
            skynet.send(LOG, "lua", "fail",
                ("tutorial: in exchange %d, %s, this line is missing: %s"):format(i, exchange.title, line))
            return
        end
    end
    say("tutorial: all %d exchanges were as expected", #exchanges)
    skynet.abort()
end)

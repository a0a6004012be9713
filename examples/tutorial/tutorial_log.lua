--- The tutorial's log service: prints every line as the logger does, shows it to whoever watches, and ends the process
--- if the tutorial does not end by itself.

local skynet = require "skynet"

local PATIENCE <const> = 6000 -- centiseconds for the whole tutorial

local watcher

local function print_line(text)
    io.stdout:write(text, "\n")
    io.stdout:flush()
end

local function leave(reason)
    print_line(reason)
    os.exit(1)
end

skynet.register_protocol {
    name = "text",
    id = skynet.PTYPE_TEXT,
    unpack = skynet.tostring,
    dispatch = function(_, source, text)
        print_line(("[:%08x] %s"):format(source, text))
        if watcher then
            skynet.send(watcher, "lua", source, text)
        end
    end,
}

local command = {}

function command.watch(source)
    watcher = source
end

function command.print(_, text)
    print_line(text)
    skynet.retpack()
end

function command.fail(_, reason)
    leave(reason)
end

skynet.dispatch("lua", function(_, source, name, ...)
    command[name](source, ...)
end)

skynet.start(function()
    skynet.timeout(PATIENCE, function()
        leave "tutorial: it did not come to its end in time"
    end)
end)

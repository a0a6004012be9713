--- The "debug" message type, which every service answers. The commands themselves are in skynet.debugcmd, loaded with
--- the first such message.

local registered = {}
local commands

return {
    --- Called by skynet.lua, once.
    ---@param skynet skynet
    ---@param export { dispatch: function, resume: function, suspend: function }  for the remote debugger
    init = function(skynet, export)
        local info

        --- Sets what the INFO command answers with.
        ---@param func fun(...): any
        function skynet.info_func(func)
            info = func
        end

        local function run(_, _, name, ...)
            commands = commands or require "skynet.debugcmd"(skynet, export, function(...)
                if info then
                    return info(...)
                end
                return nil
            end)
            local command = commands[name] or registered[name]
            if not command then
                error("unknown debug command " .. tostring(name))
            end
            command(...)
        end

        skynet.register_protocol {
            name = "debug",
            id = skynet.PTYPE_DEBUG,
            pack = skynet.pack,
            unpack = skynet.unpack,
            dispatch = run,
        }
    end,

    --- Adds a command of one's own. It answers with skynet.ret, if at all.
    ---@param name string
    ---@param func function
    reg_debugcmd = function(name, func)
        registered[name] = func
    end,
}

--- The names of skynet 1.0, from the executable's own files: each is the module that it is today.

local skynet = require "skynet.manager"
local print = require "print_line"

skynet.start(function()
    local wrong = {}
    local names = "cluster crypt datacenter dns memory mqueue multicast netpack profile redis sharedata sharemap snax " ..
        "socket socketchannel socketdriver stm"
    for name in names:gmatch "%S+" do
        local today = name == "redis" and "skynet.db.redis" or "skynet." .. name
        local ok, module = pcall(require, name)
        if not ok then
            table.insert(wrong, module)
        elseif module ~= require(today) then
            table.insert(wrong, name)
        end
    end
    print(#wrong == 0 and "passed" or table.concat(wrong, "\n"))
    skynet.abort()
end)

--- Two tasks that call 24-echoluamsg at the same time: the session tells whose answer is whose.

local skynet = require "skynet"

local function task(id)
    local name = "task" .. id
    for i = 1, 5 do
        skynet.error(name .. " call index:", i)
        skynet.error(name .. " return:", skynet.call(".echoluamsg", "lua", name .. " index:", i))
    end
end

skynet.start(function()
    skynet.fork(task, 1)
    skynet.fork(task, 2)
end)

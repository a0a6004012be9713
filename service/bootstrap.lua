--- The node's first Lua service. Launches what every node needs, in this order: launcher, harbor (cdummy for a node of
--- its own; cmaster and cslave in a network), datacenterd on the network's master, service_mgr, and then `start`.

local skynet = require "skynet.manager"

-- Without these the node is of no use: the whole of it ends.
local function launch_or_abort(name)
    local ok, handle = pcall(skynet.newservice, name)
    if not ok then
        skynet.error("bootstrap cannot launch", name, ":", handle)
        skynet.abort()
        skynet.exit()
    end
    return handle
end

local function launch_harbor(is_master)
    local id = tonumber(skynet.getenv "harbor" or 0)
    if id == 0 then
        assert(not is_master, "standalone is for nodes in a network, this one has harbor = 0")
        skynet.setenv("standalone", "true")
        skynet.name(".cslave", launch_or_abort "cdummy")
        return true
    end
    if is_master then
        launch_or_abort "cmaster"
    end
    skynet.name(".cslave", launch_or_abort "cslave")
    return is_master
end

skynet.start(function()
    skynet.name(".launcher", assert(skynet.launch("snlua", "launcher")))

    if launch_harbor(skynet.getenv "standalone" ~= nil) then
        skynet.name("DATACENTER", skynet.newservice "datacenterd")
    end
    skynet.newservice "service_mgr"

    if skynet.getenv "enablessl" == "true" then
        require "skynet.service".new("ltls_holder", function()
            require "ltls.init.c".constructor()
        end)
    end

    pcall(skynet.newservice, skynet.getenv "start" or "main")
    skynet.exit()
end)

--- Every name of the Lua modules, and its type.

local skynet = require "skynet.manager"
require "skynet.queue"
-- skynet.datasheet waits for a builder.
require "skynet.datasheet.builder"

local expected = {
    ["skynet"] = {
        ["function"] = "abort address call context dispatch dispatch_message dispatch_unknown_request " ..
            "dispatch_unknown_response endless error exit filter fork forward_type genid getenv harbor hpc " ..
            "ignoreret info_func init init_service kill killthread launch localname memlimit monitor mqlen " ..
            "name newservice now pack packstring pcall queryservice rawcall rawsend redirect register " ..
            "register_protocol request response ret retpack self send setenv sleep start starttime stat task " ..
            "term time timeout tostring trace trace_timeout tracecall tracelog traceproto tracetag trash " ..
            "uniqtask uniqueservice unpack wait wakeup yield",
        ["number"] = "PTYPE_CLIENT PTYPE_DEBUG PTYPE_ERROR PTYPE_HARBOR PTYPE_LUA PTYPE_MULTICAST PTYPE_QUEUE " ..
            "PTYPE_RESPONSE PTYPE_SNAX PTYPE_SOCKET PTYPE_SYSTEM PTYPE_TEXT PTYPE_TRACE",
        ["table"] = "_proto cache",
    },
    ["skynet.queue"] = {
        ["function"] = "-",
    },
    ["skynet.socket"] = {
        ["function"] = "abandon bind block close close_fd disconnected header invalid limit listen lwrite netstat " ..
            "onclose open pause read readall readline resolve sendto shutdown start stdin udp udp_address " ..
            "udp_connect udp_dial udp_listen warning write",
    },
    ["skynet.socketchannel"] = {
        ["function"] = "channel",
        ["table"] = "error",
    },
    ["skynet.mqueue"] = {
        ["function"] = "call register send size",
    },
    ["skynet.db.redis"] = {
        ["function"] = "connect watch",
    },
    ["skynet.db.redis.cluster"] = {
        ["function"] = "new",
    },
    ["skynet.db.redis.crc16"] = {
        ["function"] = "-",
    },
    ["skynet.dns"] = {
        ["function"] = "flush resolve server",
        ["string"] = "DEFAULT_HOSTS DEFAULT_RESOLV_CONF",
    },
    ["skynet.coroutine"] = {
        ["function"] = "close create isyieldable resume running status thread wrap yield",
    },
    ["skynet.require"] = {
        ["function"] = "init init_all require",
    },
    ["skynet.service"] = {
        ["function"] = "close new query",
    },
    ["skynet.debug"] = {
        ["function"] = "init reg_debugcmd",
    },
    ["skynet.inject"] = {
        ["function"] = "-",
    },
    ["skynet.injectcode"] = {
        ["function"] = "-",
    },
    ["skynet.harbor"] = {
        ["function"] = "connect globalname link linkmaster queryname",
    },
    ["skynet.datacenter"] = {
        ["function"] = "get set wait",
    },
    ["skynet.snax"] = {
        ["function"] = "bind exit globalservice hotfix interface kill newservice printf profile_info queryglobal " ..
            "queryservice rawnewservice self uniqueservice",
    },
    ["snax.interface"] = {
        ["function"] = "-",
    },
    ["snax.hotfix"] = {
        ["function"] = "-",
    },
    ["snax.gateserver"] = {
        ["function"] = "closeclient openclient start",
    },
    ["snax.loginserver"] = {
        ["function"] = "-",
    },
    ["snax.msgserver"] = {
        ["function"] = "ip login logout start userid username",
    },
    ["sproto"] = {
        ["function"] = "decode default encode exist_proto exist_type host new pack parse pdecode pencode queryproto " ..
            "request_decode request_encode response_decode response_encode sharenew unpack",
    },
    ["sproto.core"] = {
        ["function"] = "decode default deleteproto dumpproto encode loadproto newproto pack protocol querytype " ..
            "saveproto unpack",
    },
    ["sprotoparser"] = {
        ["function"] = "dump parse",
    },
    ["sprotoloader"] = {
        ["function"] = "load register save",
    },
    ["skynet.core"] = {
        ["function"] = "addresscommand callback command error genid harbor hpc intcommand now pack packstring redirect " ..
            "send tostring trace trash unpack",
    },
    ["skynet.profile"] = {
        ["function"] = "resume start stop wrap",
    },
    ["skynet.debugchannel"] = {
        ["function"] = "connect create release sethook",
    },
    ["skynet.multicast.core"] = {
        ["function"] = "bind close nextid pack packremote remote unpack",
    },
    ["skynet.stm"] = {
        ["function"] = "copy new newcopy",
    },
    ["skynet.sharemap"] = {
        ["function"] = "commit copy reader register update writer",
    },
    ["skynet.sharedata"] = {
        ["function"] = "deepcopy delete flush new query update",
    },
    ["skynet.sharedata.corelib"] = {
        ["function"] = "box copy flush next update",
        ["table"] = "host",
    },
    ["skynet.sharedata.core"] = {
        ["function"] = "box decref delete getref hashlen incref index isdirty len markdirty needupdate new nextkey " ..
            "update",
    },
    ["skynet.datasheet.builder"] = {
        ["function"] = "compile new update",
    },
    ["skynet.datasheet"] = {
        ["function"] = "query",
    },
    ["skynet.datasheet.core"] = {
        ["function"] = "new stringpointer update",
    },
    ["skynet.datasheet.dump"] = {
        ["function"] = "diff dump undump",
    },
    ["skynet.sharetable"] = {
        ["function"] = "loadfile loadstring loadtable query queryall update",
    },
    ["skynet.sharetable.core"] = {
        ["function"] = "clone is_sharedtable matrix stackvalues",
    },
    ["skynet.remotedebug"] = {
        ["function"] = "start",
    },
    ["skynet.codecache"] = {
        ["function"] = "clear loadfile mode",
    },
}

skynet.start(function()
    local missing = {}
    for module, types in pairs(expected) do
        local found = require(module)
        for kind, names in pairs(types) do
            for name in names:gmatch "%S+" do
                -- A module that is a function itself has the name "-".
                local value = found
                if name ~= "-" then
                    value = found[name]
                end
                if type(value) ~= kind then
                    table.insert(missing, ("%s.%s is %s, not %s"):format(module, name, type(value), kind))
                end
            end
        end
    end
    -- pairs sees the parts that are loaded on demand, too.
    local seen = {}
    for name in pairs(skynet) do
        seen[name] = true
    end
    for _, names in pairs(expected.skynet) do
        for name in names:gmatch "%S+" do
            if not seen[name] then
                table.insert(missing, "pairs(skynet) leaves out " .. name)
            end
        end
    end
    for _, text in ipairs(missing) do
        print(text)
    end
    io.stdout:write(#missing == 0 and "passed\n" or "failed\n")
    skynet.abort()
end)

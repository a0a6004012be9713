-- sproto's host: any bytes as a packet of the peer, packed and as they are.

local core = require "sproto.core"
local sproto = require "sproto"

local schema = sproto.parse [[
.package { type 0 : integer  session 1 : integer }
.item { id 0 : integer  text 1 : string }
get 1 { request { what 0 : string } response item }
set 2 { request item }
ping 3 { response nil }
]]

local function dispatch(packed)
    local host = schema:host "package"
    local request = host:attach(schema)
    -- Two answers are waited for.
    request("get", { what = "a" }, 1)
    request("ping", nil, 2)
    local ok, kind, name, message, answer = pcall(host.dispatch, host, packed)
    if ok and kind == "REQUEST" and answer then
        pcall(answer, { id = 1, text = "b" })
    end
    return ok
end

local function run(input)
    dispatch(input)
    dispatch(core.pack(input))
end

return {
    parser = { "lualib/sproto.lua:dispatch" },
    longest = 100,
    memory = 65536,
    memory_per_byte = 256,
    run = run,
}

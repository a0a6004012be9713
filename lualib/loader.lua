--- What snlua runs first in every Lua service. Its argument is the service's name and arguments in one string; where to
--- look for things comes in the globals LUA_SERVICE, LUA_PATH, LUA_CPATH and LUA_PRELOAD, which are gone afterwards.

local words = {}
for word in (...):gmatch "%S+" do
    words[#words + 1] = word
end
local name = words[1]

local function substitute(pattern)
    return (pattern:gsub("?", (name:gsub("%%", "%%%%"))))
end

local function find_main()
    local tried = {}
    for pattern in LUA_SERVICE:gmatch "[^;]+" do
        local chunk, err = loadfile(substitute(pattern))
        if chunk then
            return chunk, pattern
        end
        tried[#tried + 1] = err
    end
    error(table.concat(tried, "\n"))
end

SERVICE_NAME = name
local main_chunk, pattern = find_main()

package.path, package.cpath = LUA_PATH, LUA_CPATH
local preload = LUA_PRELOAD
LUA_SERVICE, LUA_PATH, LUA_CPATH, LUA_PRELOAD = nil, nil, nil, nil

-- A pattern such as "dir/?/init.lua" gives a service a directory, where its own modules are.
local own = pattern:match "^(.*/)[^/?]+$"
if own then
    SERVICE_PATH = substitute(own)
    package.path = SERVICE_PATH .. "?.lua;" .. package.path
else
    SERVICE_PATH = pattern:match "^(.*/)"
end

if preload then
    assert(loadfile(preload))(table.unpack(words))
end

require = require "skynet.require".require

main_chunk(table.unpack(words, 2))

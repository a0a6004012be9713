--- Keeps a cluster's names in etcd: registers this node under a lease, and tells clusterd of the names that come, change
--- and go, as `cluster.reload` would. clusterd launches it if the config has `cluster_etcd`; docs/cluster-etcd.md says
--- what the keys mean and who wins.
---
--- Two tasks, neither of which ever gives up. One reads all names, then watches from that revision on; whenever the watch
--- ends, it begins again. The other begins when the node listens; it makes a lease, puts this node's name under it and
--- keeps it alive; should lease or name be gone, it makes them anew. While etcd is away nothing is taken back: clusterd
--- goes on with what it was told.

local skynet = require "skynet"
local socket = require "skynet.socket"
local etcd = require "skynet.db.etcd"
local internal = require "http.internal"

local format = string.format

local clusterd = assert(tonumber((...)), "clusteretcd needs the handle of clusterd")

-- An answer, and a line of a watch, is no larger than this; it holds far more names than a cluster has. Bytes.
internal.limit.body = 8 << 20

--- A day. Seconds.
local MAX_LEASE <const> = 24 * 60 * 60

-- All in hundredths of a second.
local FIRST_PAUSE <const> = 10    -- before the first new attempt; each further one waits twice as long
local LAST_PAUSE <const> = 200    -- but no longer than this, nor than a quarter of the lease
local LONG <const> = 500          -- what has worked for so long starts with the first pause again
local SETTLED <const> = 100      -- a watch that has lived for so long works again
local SILENCE <const> = 6000      -- a watch that nothing has come from for so long is begun anew
local TIMEOUT <const> = 300       -- for a request

--------------------------------------------------------------------------------
-- The config

local function setting(key)
    local value = skynet.getenv("cluster_etcd" .. key)
    return value ~= "" and value or nil
end

-- Addresses as clusterd takes them.
local function is_address(text)
    return #text <= 255 and text:find "^[^%s%c]+:%d+$" ~= nil
end

-- No option, which cluster.reload would take it for, and nothing that spoils the log.
local function is_name(text)
    return text ~= "" and #text <= 255 and text:sub(1, 2) ~= "__" and not text:find "[%s%c]"
end

local prefix = setting "_prefix" or "/skynet/cluster/"
local range_end = etcd.prefix_end(prefix)
local own_name, own_address = setting "_name", setting "_address"
local lease_seconds = math.tointeger(tonumber(setting "_lease" or 10))

if not lease_seconds or lease_seconds < 1 or lease_seconds > MAX_LEASE then
    error(format("cluster_etcd_lease must be a number of seconds, without a fraction, up to %d", MAX_LEASE))
elseif own_name and not is_name(own_name) then
    error(format("cluster_etcd_name cannot be %q", own_name))
elseif (own_name == nil) ~= (own_address == nil) then
    error "cluster_etcd_name and cluster_etcd_address come together, or not at all"
elseif own_address and not is_address(own_address) then
    error(format("cluster_etcd_address is not host:port but %q", own_address))
end

-- A request that takes too long must leave time for one to another endpoint.
local client = etcd.client {
    endpoints = setting "" or error "cluster_etcd is not set",
    user = setting "_user",
    password = setting "_password",
    timeout = math.min(TIMEOUT, lease_seconds * 100 // 3),
}

--------------------------------------------------------------------------------
-- What the log says

-- What does not work now -> why.
local faults = {}

local function say(...)
    skynet.error("clusteretcd:", format(...))
end

-- One line when the first task fails, one when all are well again.
local function trouble(what, reason)
    if next(faults) == nil then
        say("%s; the names that are known stay, and it is tried again", tostring(reason))
    end
    faults[what] = reason
end

local function recovered(what)
    if faults[what] ~= nil then
        faults[what] = nil
        if next(faults) == nil then
            say "etcd is back"
        end
    end
end

-- Runs something again and again. `step` returns how long to wait, or nothing: as after an error.
local function forever(what, step)
    local pause, last = FIRST_PAUSE, math.min(LAST_PAUSE, lease_seconds * 25)
    while true do
        local began = skynet.now()
        local ok, wait = pcall(step)
        if not ok then
            trouble(what, wait)
        end
        if ok and wait or skynet.now() - began >= LONG then
            pause = FIRST_PAUSE
        end
        if not (ok and wait) then
            -- Not all nodes at the same time.
            wait = math.ceil(pause * (0.5 + math.random() / 2))
            pause = math.min(pause * 2, last)
        end
        skynet.sleep(wait, what)
    end
end

--------------------------------------------------------------------------------
-- This node's name

local REGISTRATION <const> = "registration"

---@class clusteretcd.member
---@field lease string?
---@field seconds integer  how long the lease is
---@field registered boolean
---@field put integer      the revision of the name's registration
---@field missing integer  the last revision that was read without it
---@field other integer    the revision of another node's registration of the name
local member = { lease = nil, seconds = lease_seconds, registered = false, put = 0, missing = 0, other = 0 }

-- What etcd has for this node's name.
local function own_pair(pair)
    local newer = pair.revision > member.put and pair.revision > member.other
    if member.registered and newer and pair.lease ~= member.lease then
        member.other = pair.revision
        say("another node has registered as %s, at %q; this one does not while that is so", own_name, pair.value)
    end
end

-- It has nothing.
local function own_missing(revision)
    member.missing = revision
    if member.registered and revision >= member.put then
        member.registered = false
        skynet.wakeup(REGISTRATION)
    end
end

-- When the service ends, on a connection that is there already: then nobody waits for anything any more.
local Farewell = {
    __gc = function(self)
        if self.send then
            pcall(self.send)
        end
    end,
}
local farewell = { lease = nil, connection = nil, send = nil }

local function prepare_farewell()
    local connection = farewell.connection
    if connection then
        if farewell.lease == member.lease and socket.disconnected(connection.id) == false then
            return
        end
        farewell.send = nil
        connection:close()
    end
    farewell = {}
    local ok, new, send = pcall(client.prepare_revoke, client, member.lease)
    if ok then
        -- Of objects that are collected together the newest goes first: the connection is still of use.
        farewell = setmetatable({ lease = member.lease, connection = new, send = send }, Farewell)
    end
end

local function keep_lease()
    if member.lease and client:keepalive(member.lease) <= 0 then
        member.lease = nil
    end
    if not member.lease then
        member.registered = false
        member.lease, member.seconds = client:grant(lease_seconds)
    end
    -- As long as the name is there it can be taken back.
    prepare_farewell()
    if not member.registered then
        member.put = client:put(prefix .. own_name, own_address, member.lease)
        -- It may be known already that it is gone again.
        member.registered = member.put > member.missing
    end
    -- In time for a second attempt.
    local seconds = math.max(1, math.min(member.seconds, MAX_LEASE))
    return member.registered and seconds * 100 // 3 or nil
end

--------------------------------------------------------------------------------
-- The table of names

---@type table<string, skynet.db.etcd.pair>  what etcd has said last
local known = {}
-- The revision at which everything was read, and the latest one that was heard of.
local read_revision, last_revision = 0, 0
-- Whether a request has failed since everything was read.
local unanswered = false

-- Clusterd knows names by their addresses, false: absent.
local function tell(changes)
    if next(changes) == nil then
        return
    end
    for name, address in pairs(changes) do
        if address then
            say("%s is at %s", name, address)
        else
            say("%s has left", name)
        end
    end
    local ok, reason = pcall(skynet.call, clusterd, "lua", "reload", changes)
    if not ok then
        say("clusterd does not take new names: %s", tostring(reason))
    end
end

-- Keys that the log has told of -> their revisions. Everything is read again and again.
local told = {}

local function complain(pair, ...)
    if told[pair.key] ~= pair.revision then
        told[pair.key] = pair.revision
        say(...)
    end
end

-- The name in a key, if it is one that a node can have. With an address that cannot be one it counts as removed.
local function name_of(pair)
    local name = pair.key:sub(#prefix + 1)
    if not is_name(name) then
        if not pair.deleted then
            complain(pair, "%q in etcd is no name of a node", name:sub(1, 255))
        end
        return nil
    end
    if not pair.deleted and not is_address(pair.value) then
        complain(pair, "the address of %s in etcd is not host:port but %q", name, pair.value:sub(1, 255))
        pair.deleted = true
    end
    return name
end

-- Forgets what the log was told of keys that are gone.
local function forget(list)
    local before = told
    told = {}
    for _, pair in ipairs(list) do
        told[pair.key] = before[pair.key]
    end
end

local function arrive(changes, name, pair)
    local before = known[name]
    known[name] = pair
    if not before or before.value ~= pair.value then
        changes[name] = pair.value
    end
end

local function leave(changes, name)
    if known[name] then
        known[name] = nil
        changes[name] = false
    end
end

-- Whether etcd has lost what it had: within one history revisions only grow.
local function goes_back(found, revision)
    if revision < last_revision then
        return true
    end
    for name, pair in pairs(found) do
        if known[name] and pair.revision < known[name].revision then
            return true
        end
    end
    return false
end

-- Names that are gone when etcd comes back. Their nodes could not keep their leases alive meanwhile, or etcd has lost
-- them; they have a lease's time to register again.
local function expect_back(lost)
    for _, pair in pairs(lost) do
        pair.lost = true
    end
    skynet.timeout(lease_seconds * 100, function()
        local changes = {}
        for name, pair in pairs(lost) do
            if known[name] == pair then
                leave(changes, name)
            end
        end
        tell(changes)
    end)
end

-- What was found -> whether etcd has lost what it had. This node's name is taken out.
local function compare(found, revision)
    local back = goes_back(found, revision)
    if back then
        say "etcd has lost what it had"
        member.put, member.missing, member.other = 0, 0, 0
    end
    read_revision, last_revision = revision, revision
    local own = own_name and found[own_name]
    if own then
        found[own_name] = nil
        own_pair(own)
    elseif own_name then
        own_missing(revision)
    end
    return back
end

-- Reads everything.
local function read_all()
    local ok, list, revision = pcall(client.range, client, prefix, range_end)
    if not ok then
        unanswered = true
        error(list, 0)
    end
    forget(list)
    local found = {}
    for _, pair in ipairs(list) do
        local name = name_of(pair)
        if name and not pair.deleted then
            found[name] = pair
        end
    end
    local patient = compare(found, revision) or unanswered
    unanswered = false
    local changes, lost = {}, {}
    for name, pair in pairs(known) do
        if found[name] == nil and not pair.lost then
            if patient then
                lost[name] = pair
            else
                leave(changes, name)
            end
        end
    end
    for name, pair in pairs(found) do
        arrive(changes, name, pair)
    end
    if next(lost) ~= nil then
        expect_back(lost)
    end
    tell(changes)
    return revision
end

-- What the watch has told.
local function take(events)
    local changes, gone = {}, false
    for _, event in ipairs(events) do
        local revision = event.revision
        last_revision = math.max(last_revision, revision)
        local name = revision > read_revision and name_of(event)
        if name and event.deleted then
            gone = true
        elseif name and name == own_name then
            own_pair(event)
        elseif name then
            arrive(changes, name, event)
        end
    end
    tell(changes)
    -- An etcd that is about to end takes no requests any more, so leases end, of which it still tells. What is gone is
    -- gone only if it answers.
    if gone then
        read_all()
    end
end

--------------------------------------------------------------------------------
-- The watch

local WATCH <const> = "watch"

---@type { watch: skynet.db.etcd.watch, since: integer, heard: integer, renewed: boolean }?
local watching

-- Ends the watch, so that it begins anew.
local function renew()
    if watching and not watching.renewed then
        watching.renewed = true
        watching.watch:close()
    end
end

local function follow(current)
    while true do
        local events = current.watch:next()
        if not events then
            -- Compacted in between.
            return
        end
        current.heard = skynet.now()
        take(events)
    end
end

local function read_and_watch()
    local revision = read_all()
    local watch <close> = setmetatable({ client:watch(prefix, range_end, revision + 1) }, {
        __close = function(self)
            self[1]:close()
        end,
    })
    local now = skynet.now()
    watching = { watch = watch[1], since = now, heard = now, renewed = false }
    local ok, reason = pcall(follow, watching)
    local renewed = watching.renewed
    watching = nil
    if not ok and not renewed then
        error(reason, 0)
    end
end

-- What cannot be seen at the watch itself: it may be silent because nothing happens, or because nobody is there.
local function look_after_watch()
    if not watching then
        return
    end
    local now = skynet.now()
    if now - watching.heard >= SILENCE or watching.watch.endpoint ~= client.current then
        renew()
    elseif now - watching.since >= SETTLED then
        recovered(WATCH)
    end
end

-- Registers this node, and keeps it registered.
local function registration()
    local ok, wait = pcall(keep_lease)
    if not ok then
        unanswered = true
        error(wait, 0)
    end
    if faults[REGISTRATION] then
        recovered(REGISTRATION)
        -- The watch's connection may be as dead as the lease's were.
        renew()
    end
    return wait
end

skynet.start(function()
    local registers = false
    skynet.dispatch("lua", function(_, _, command)
        -- Who is told of this node can call it from then on.
        assert(command == "listening", "no such command")
        if own_name and not registers then
            registers = true
            skynet.fork(forever, REGISTRATION, registration)
        end
        skynet.ignoreret()
    end)
    skynet.info_func(function()
        return { lease = member.lease, registered = member.registered, names = known, faults = faults }
    end)
    -- Not before this function returns: clusterd waits for it.
    skynet.fork(function()
        if own_name then
            tell { [own_name] = own_address }
        end
        skynet.fork(forever, WATCH, read_and_watch)
        while true do
            skynet.sleep(SETTLED)
            look_after_watch()
        end
    end)
end)

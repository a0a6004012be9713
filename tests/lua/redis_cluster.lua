--- skynet.db.redis.cluster against the nodes that tests/redis.rs has started: three masters, which have the slots
--- in the order of their ports.

local skynet = require "skynet"
local redis = require "skynet.db.redis"
local cluster = require "skynet.db.redis.cluster"
local crc16 = require "skynet.db.redis.crc16"
local check = require "socket_check"

local equal, fails, eventually = check.equal, check.fails, check.eventually
local cases = {}
local function case(name, func)
    table.insert(cases, { name, func })
end

local nodes = {}
for port in skynet.getenv "ports":gmatch "%d+" do
    table.insert(nodes, { host = "127.0.0.1", port = tonumber(port) })
end

-- A key whose slot the node of a number has.
local function key_of(db, number)
    for i = 1, 1000 do
        local key = "key" .. i
        if db.slots[db:keyslot(key)].port == nodes[number].port then
            return key
        end
    end
end

case("slots of keys", function()
    equal(crc16 "", 0, "nothing")
    equal(crc16 "123456789", 0x31c3, "the polynomial's check value")
    local db = cluster.new(nodes)
    equal(db:keyslot "foo", 12182, "foo")
    equal(db:keyslot "{foo}bar", 12182, "a tag")
    equal(db:keyslot "x{foo}{bar}", 12182, "the first tag")
    equal(db:keyslot "{}foo", crc16 "{}foo" % 16384, "an empty tag")
    equal(db:keyslot "{foo", crc16 "{foo" % 16384, "half a tag")
    equal(db:keyslot(12), crc16 "12" % 16384, "a number")
    for slot = 0, 16383 do
        assert(db.slots[slot], slot)
    end
    equal(#db.nodes, 3, "masters")
    db:close_all_connection()
end)

case("commands go to the right node", function()
    -- One node is enough to find the others, also behind one that is not there.
    local db = cluster.new({ { host = "127.0.0.1", port = 1 }, nodes[2] }, { db = 0 })
    for i = 1, 100 do
        equal(db:set("key" .. i, i), "OK", "set")
    end
    for i = 1, 100 do
        equal(db:get("key" .. i), tostring(i), "get")
        equal(db:exists("key" .. i), true, "exists")
    end
    equal(db:exists "no key", false, "exists")
    equal(db:sismember("no set", "x"), false, "sismember")
    equal(db:mget { "{t}a", "{t}b" }[1], nil, "a list of arguments")
    fails("CROSSSLOT", db.mset, db, "foo", 1, "bar", 2)
    fails("WRONGTYPE", db.lpush, db, "key1", 1)
    fails("No way to dispatch this command to Redis Cluster: info", db.info, db)
    fails("No way to dispatch", db.get, db)
    equal(db:eval("return {KEYS[1], KEYS[2], ARGV[1]}", 2, "{t}a", "{t}b", "c")[3], "c", "script")
    fails("all keys must map to the same key slot", db.eval, db, "return 1", 2, "foo", "bar")
    equal(cluster.new(nodes[1]):get "key1", "1", "a single startup node")
    fails("Can't reach a single startup node.", function()
        cluster.new({ host = "127.0.0.1", port = 1 }):get "key1"
    end)
    -- A connection of one node, and its own commands.
    local own = db:get_connection_by_slot(db:keyslot "{foo}")
    local replies = own:pipeline({ { "set", "{foo}a", 1 }, { "get", "{foo}a" } }, {})
    equal(replies[2].out, "1", "pipeline")
    equal(db:get_random_connection():ping(), "PONG", "any node")
    db:close_all_connection()
    equal(next(db.connections), nil, "connections")
    equal(db:get "key7", "7", "new connections")
    db:close_all_connection()
end)

case("who shares a connection", function()
    local db = cluster.new(nodes)
    db:close_all_connection()
    local made, done = 0, 0
    function db:get_redis_link(node)
        made = made + 1
        return getmetatable(self).__index.get_redis_link(self, node)
    end
    for i = 1, 30 do
        skynet.fork(function()
            equal(db:get("key" .. i), tostring(i), "get")
            done = done + 1
        end)
    end
    eventually("all are done", function()
        return done == 30
    end)
    equal(made, 3, "connections")
    for name in pairs(db.connections) do
        assert(name:find "^127%.0%.0%.1:%d+$", name)
    end
    db:close_all_connection()
    -- Fewer than there are nodes.
    db = cluster.new(nodes, { max_connections = 1 })
    for i = 1, 30 do
        equal(db:get("key" .. i), tostring(i), "get")
    end
    assert(not next(db.connections, (next(db.connections))), "more than one connection")
    db:close_all_connection()
end)

case("a wrong map of slots", function()
    local db = cluster.new(nodes)
    db:flush_slots_cache()
    equal(db:get "key1", "1", "without any")
    db:initialize_slots_cache()
    local last = db.slots[16383].port
    local wrong = db.slots[0]
    for slot = 0, 16383 do
        db.slots[slot] = wrong
    end
    for i = 1, 50 do
        equal(db:get("key" .. i), tostring(i), "with every slot at one node")
    end
    equal(db.slots[16383].port, last, "the map was asked for again")
    equal(db.refresh_table_asap, false, "out of date")
    -- A node that is not there.
    for slot = 0, 16383 do
        db.slots[slot] = { host = "127.0.0.1", port = 1 }
    end
    equal(db:get "key2", "2", "with a node that is not there")
    db:close_all_connection()
    -- Then a replica is asked, if one wants that.
    db = cluster.new(nodes, { read_slave = true })
    local slot = db:keyslot "key3"
    local there = db.slots[slot]
    db.slots[slot] = { host = "127.0.0.1", port = 1, slaves = { there } }
    db.nodes = { { host = "127.0.0.1", port = 1 } }
    equal(db:get_connection_by_slot(slot), db.connections[there.name], "the replica's connection")
    equal(db:get "key3", "3", "from a replica")
    db:close_all_connection()
end)

case("a slot on its way", function()
    local db = cluster.new(nodes)
    local key = key_of(db, 1)
    local slot = db:keyslot(key)
    local from, to = redis.connect(nodes[1]), redis.connect(nodes[2])
    local from_id, to_id = from:cluster "myid", to:cluster "myid"
    db:del(key)
    to:cluster("setslot", slot, "importing", from_id)
    from:cluster("setslot", slot, "migrating", to_id)
    equal(db:get(key), nil, "a key that is not there yet")
    equal(db:set(key, "new"), "OK", "set where it goes")
    equal(db:get(key), "new", "get where it is")
    equal(db:exists(key), true, "exists where it is")
    fails("WRONGTYPE", db.lpush, db, key, 1)
    equal(db.slots[slot].port, nodes[1].port, "the map as before")
    for _, connection in ipairs { to, from } do
        connection:cluster("setslot", slot, "node", to_id)
    end
    equal(db:get(key), "new", "after it has moved")
    equal(db.slots[slot].port, nodes[2].port, "the map is up to date")
    from:disconnect()
    to:disconnect()
    db:close_all_connection()
end)

case("messages", function()
    local heard = {}
    local db = cluster.new(nodes, {}, function(message, channel, pattern)
        heard[message] = channel .. "/" .. tostring(pattern)
        if message == "1" then
            error "the next is handled nevertheless"
        end
    end)
    db:subscribe "foo"
    db:subscribe "bar"
    db:psubscribe "hello.*"
    eventually("it is subscribed", function()
        db:publish("foo", 1)
        db:publish("bar", 2)
        db:publish("hello.you", 3)
        return heard["1"] and heard["2"] and heard["3"]
    end)
    equal(heard["1"], "foo/nil", "channel")
    equal(heard["2"], "bar/nil", "channel")
    equal(heard["3"], "hello.you/hello.*", "pattern")
    -- Also after the connections were lost.
    for _, node in ipairs(nodes) do
        redis.connect(node):client("kill", "type", "pubsub")
    end
    eventually("it is subscribed again", function()
        db:publish("bar", 4)
        return heard["4"]
    end)
    db:unsubscribe "bar"
    db:close_all_connection()
end)

check.main(cases)

--- skynet.db.redis against the server that tests/redis.rs has started.

local skynet = require "skynet"
local redis = require "skynet.db.redis"
local socketchannel = require "skynet.socketchannel"
local check = require "socket_check"

local equal, fails, eventually = check.equal, check.fails, check.eventually
local cases = {}
local function case(name, func)
    table.insert(cases, { name, func })
end

-- The settings of a connection; the server wants a password.
local function conf(more)
    local all = { host = "127.0.0.1", port = tonumber(skynet.getenv "port"), auth = "word", db = 0 }
    for key, value in pairs(more or {}) do
        all[key] = value
    end
    return all
end

case("passwords and users", function()
    equal(redis.connect(conf()):ping(), "PONG", "reply")
    local anonymous = redis.connect { host = "127.0.0.1", port = conf().port }
    fails("NOAUTH", anonymous.get, anonymous, "a")
    equal(anonymous:auth "word", "OK", "late")
    equal(anonymous:get "a", nil, "a key that is not there")
    anonymous:disconnect()
    local bob = redis.connect(conf { username = "bob", auth = "secret" })
    equal(bob:acl "whoami", "bob", "user")
    bob:disconnect()
    for _, wrong in ipairs { { auth = "wrong" }, { username = "bob" }, { db = 99 } } do
        fails("[Error: socket]", redis.connect, conf(wrong))
    end
end)

case("databases", function()
    local zero, one = redis.connect(conf()), redis.connect(conf { db = 1 })
    zero:set("where", "zero")
    one:set("where", "one")
    equal(zero:get "where", "zero", "value")
    equal(one:get "where", "one", "value")
    zero:disconnect()
    one:disconnect()
end)

case("commands", function()
    local db = redis.connect(conf())
    db:flushall()
    equal(db:set("a", "hello"), "OK", "status")
    equal(db:get "a", "hello", "string")
    equal(db.GET(db, "a"), "hello", "upper case")
    equal(db:get { "a" }, "hello", "a list of arguments")
    equal(db:incrby("n", 41), 41, "integer")
    equal(db:incr("n"), 42, "integer")
    equal(db:get "none", nil, "nothing")
    equal(db:dbsize(), 2, "no argument")
    equal(db:config("get", "databases")[2], "16", "two words")
    for _, binary in ipairs { "", "\0", "\r\n", "$5\r\nab\0\xff", ("\xfe\r"):rep(5000) } do
        db:set("binary", binary)
        equal(db:get "binary", binary, "any bytes")
        equal(db:strlen "binary", #binary, "their number")
    end
    db:set("number", 1.5)
    equal(db:get "number", "1.5", "number")
    local big = ("0123456789abcdef"):rep(1 << 19)
    db:set("big", big)
    equal(db:get "big" == big, true, "8 MiB")
    db:del { "list", "hash", "big" }
    equal(db:rpush("list", 1, "b", "", 4), 4, "length")
    equal(table.concat(db:lrange("list", 0, -1), ","), "1,b,,4", "list")
    db:hmset("hash", "x", 1, "y", 2)
    equal(db:hget("hash", "y"), "2", "field")
    local some = db:hmget("hash", "x", "z", "y")
    equal(some[1], "1", "first")
    equal(some[2], nil, "missing")
    equal(some[3], "2", "third")
    db:disconnect()
    fails("", db.get, db, "a")
    equal(getmetatable(db), nil, "an object of no use")
end)

case("whether something is so", function()
    local db = redis.connect(conf())
    db:del "set"
    db:sadd("set", "one")
    equal(db:exists "set", true, "exists")
    equal(db:exists "no set", false, "exists")
    equal(db:sismember("set", "one"), true, "sismember")
    equal(db:sismember("set", "two"), false, "sismember")
    db:set("text", "x")
    fails("WRONGTYPE", db.sismember, db, "text", "x")
    db:disconnect()
end)

case("nested replies and errors", function()
    local db = redis.connect(conf())
    local reply = db:eval("return {1, {'two', {}, {3}}, false, 'end'}", 0)
    equal(reply[1], 1, "number")
    equal(reply[2][1], "two", "string in a list")
    equal(#reply[2][2], 0, "empty list")
    equal(reply[2][3][1], 3, "deep")
    equal(reply[3], nil, "nothing")
    equal(reply[4], "end", "last")
    fails("ERR unknown command", db.nonsense, db)
    fails("WRONGTYPE", db.lpush, db, "a", 1)
    local ok, list = pcall(db.eval, db, "return {1, redis.error_reply('ERR mine')}", 0)
    equal(ok, false, "a list with an error")
    equal(list[1], 1, "its value")
    equal(list[2], "ERR mine", "its error")
    fails("argument 2 of SET is nil", db.set, db, "a", nil, "x")
    equal(db:get "a", "hello", "the connection is good")
    db:disconnect()
end)

case("transactions", function()
    local db = redis.connect(conf())
    equal(db:multi(), "OK", "multi")
    equal(db:set("t", 1), "QUEUED", "set")
    equal(db:incr "t", "QUEUED", "incr")
    local replies = db:exec()
    equal(replies[1], "OK", "first")
    equal(replies[2], 2, "second")
    db:disconnect()
end)

case("pipelines", function()
    local db = redis.connect(conf())
    local replies = {}
    local commands = { { "set", "p", 1 }, { "lpush", "p", 2 }, { "get", "p" }, { "get", "none" } }
    equal(db:pipeline(commands, replies), replies, "result")
    equal(#replies, 4, "number")
    equal(replies[1].ok, true, "good")
    equal(replies[1].out, "OK", "reply")
    equal(replies[2].ok, false, "bad")
    equal(replies[2].out:match "^%u+", "WRONGTYPE", "error")
    equal(replies[3].out, "1", "reply")
    equal(replies[4].ok, true, "good")
    equal(replies[4].out, nil, "nothing")
    equal(db:pipeline { { "INCR", "p" }, { "INCRBY", "p", 5 } }, 7, "the last reply")
    fails("WRONGTYPE", db.pipeline, db, { { "get", "p" }, { "lpush", "p", 2 } })
    fails("pipeline is null", db.pipeline, db, {})
    fails("pipeline is null", db.pipeline, db)
    fails("command 2 of the pipeline is empty", db.pipeline, db, { { "get", "p" }, {} })
    fails("argument 1 of get is nil", db.pipeline, db, { { n = 2, "get", nil } })
    equal(db:get "p", "7", "the connection is good")
    local many = {}
    for i = 1, 20000 do
        many[i] = { "SET", "key" .. i, i }
    end
    replies = db:pipeline(many, {})
    equal(#replies, 20000, "many")
    local keys = {}
    for i = 1, 20000 do
        keys[i] = "key" .. i
    end
    local values = db:mget(keys)
    equal(values[20000], "20000", "last of many")
    equal(#values, 20000, "many")
    db:disconnect()
end)

case("many tasks on one connection", function()
    local db = redis.connect(conf())
    local done = 0
    for i = 1, 200 do
        skynet.fork(function()
            db:set("task" .. i, i)
            skynet.yield()
            equal(db:get("task" .. i), tostring(i), "value")
            done = done + 1
        end)
    end
    eventually("all are done", function()
        return done == 200
    end)
    db:disconnect()
end)

case("a connection that is lost", function()
    local db, other = redis.connect(conf()), redis.connect(conf())
    local id = db:client "id"
    local waiting
    skynet.fork(function()
        waiting = table.pack(pcall(db.blpop, db, "nothing", 0))
    end)
    skynet.yield()
    eventually("it waits", function()
        return other:client("kill", "id", id) == 1
    end)
    eventually("it is told", function()
        return waiting
    end)
    equal(waiting[1], false, "result")
    equal(waiting[2], socketchannel.error, "error")
    equal(db:get "a", "hello", "on a new connection")
    assert(db:client "id" ~= id)
    db:disconnect()
    other:disconnect()
end)

case("limits", function()
    local db = redis.connect(conf { limits = { bulk = 100, count = 10 } })
    db:set("small", ("x"):rep(100))
    equal(#db:get "small", 100, "size")
    db:set("large", ("x"):rep(101))
    fails("more than 100 bytes in a string", db.get, db, "large")
    equal(#db:get "small", 100, "on a new connection")
    db:rpush("eleven", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
    fails("more than 10 values", db.lrange, db, "eleven", 0, -1)
    db:disconnect()
end)

case("messages", function()
    local db = redis.connect(conf())
    local watch = redis.watch(conf())
    watch:subscribe("foo", "bar")
    watch:psubscribe "hello.*"
    eventually("it is subscribed", function()
        return db:pubsub("numpat") == 1
    end)
    local function receives(message, channel, pattern)
        local found = table.pack(watch:message())
        equal(found[1], message, "message")
        equal(found[2], channel, "channel")
        equal(found[3], pattern, "pattern")
    end
    db:publish("foo", "one\r\n\0")
    db:publish("hello.you", 2)
    db:publish("bar", "")
    receives("one\r\n\0", "foo")
    receives("2", "hello.you", "hello.*")
    receives("", "bar")
    watch:unsubscribe "foo"
    watch:punsubscribe "hello.*"
    eventually("it is not subscribed any more", function()
        return db:pubsub("numpat") == 0
    end)
    db:publish("foo", "not heard")
    db:publish("bar", "heard")
    receives("heard", "bar")
    -- The connection is lost while somebody waits.
    local waiting
    skynet.fork(function()
        waiting = table.pack(pcall(watch.message, watch))
    end)
    eventually("it is closed", function()
        return db:client("kill", "type", "pubsub") == 1
    end)
    eventually("it is told", function()
        return waiting
    end)
    equal(waiting[2], socketchannel.error, "error")
    skynet.fork(function()
        eventually("it is subscribed again", function()
            return db:publish("bar", "after it") == 1
        end)
    end)
    receives("after it", "bar")
    watch:disconnect()
    eventually("it is gone", function()
        return db:publish("bar", "nobody") == 0
    end)
    -- One that nobody holds is closed, too.
    redis.watch(conf()):subscribe "baz"
    eventually("it is subscribed", function()
        return db:publish("baz", "x") == 1
    end)
    collectgarbage()
    eventually("it is closed", function()
        collectgarbage()
        return db:publish("baz", "x") == 0
    end)
    db:disconnect()
end)

check.main(cases)

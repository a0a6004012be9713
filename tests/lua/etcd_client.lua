--- skynet.db.etcd against a real etcd; `endpoint` is in the config.

local skynet = require "skynet"
local socket = require "skynet.socket"
local etcd = require "skynet.db.etcd"
local check = require "socket_check"

local equal, fails = check.equal, check.fails
local cases = {}
local function case(name, func)
    table.insert(cases, { name, func })
end

local endpoint = skynet.getenv "endpoint"
local client = etcd.client { endpoints = endpoint }

case("endpoints", function()
    fails("is not http://HOST:PORT", etcd.client, { endpoints = "127.0.0.1:1" })
    fails("there is no endpoint", etcd.client, { endpoints = " , " })
    local several = etcd.client { endpoints = "http://a:1/, https://b:2,http://c" }
    equal(table.concat(several.endpoints, " "), "http://a:1 https://b:2 http://c", "endpoints")
    -- Nobody listens at the first one.
    local id, _, port = socket.listen("127.0.0.1", 0)
    socket.close(id)
    local dead = "http://127.0.0.1:" .. port
    local other = etcd.client { endpoints = { dead, endpoint } }
    other:put("other", "1")
    equal(other.current, 2, "it goes on with the one that answers")
    -- Requests that fail at it at the same time do not pass over the other one.
    local shared = etcd.client { endpoints = { dead, endpoint } }
    local results = {}
    for i = 1, 4 do
        skynet.fork(function()
            results[i] = { pcall(shared.put, shared, "shared", "1") }
        end)
    end
    check.eventually("all have ended", function()
        return #results == 4
    end)
    for _, result in ipairs(results) do
        assert(result[1], result[2])
    end
    equal(shared.current, 2, "all go on with the one that answers")
    fails("etcd " .. dead .. ": ", client.put, etcd.client { endpoints = dead }, "x", "1")
    fails("no endpoint answers", client.put, etcd.client { endpoints = { dead, dead } }, "x", "1")
end)

case("prefix", function()
    equal(etcd.prefix_end "a/", "a0", "the end of a prefix")
    equal(etcd.prefix_end "a\xff\xff", "b", "bytes that have no successor")
    equal(etcd.prefix_end "\xff", "\0", "no end")
    equal(etcd.prefix_end "", "\0", "all keys")
end)

case("keys", function()
    local revision = client:put("t/a", "1")
    client:put("t/b", "")
    client:put("t/b\0\xff", "x\0\xff")
    client:put("t0", "not there")
    local pairs, read = client:range("t/a", etcd.prefix_end "t/")
    equal(#pairs, 3, "how many")
    equal(pairs[1].key .. pairs[1].value, "t/a1", "the first")
    equal(pairs[1].revision, revision, "its revision")
    equal(pairs[2].value, "", "an empty value")
    equal(pairs[3].key .. pairs[3].value, "t/b\0\xffx\0\xff", "any bytes")
    assert(read >= revision + 3, "the store's revision")
    equal(client:delete "t/a", 1, "one removed")
    equal(client:delete "t/a", 0, "none removed")
    equal(#client:range "t/a", 0, "it is gone")
    equal(#client:range "t/b", 1, "one key")
end)

case("leases", function()
    local lease, seconds = client:grant(30)
    equal(seconds, 30, "its time")
    client:put("t/lease", "1", lease)
    equal(client:range("t/lease")[1].lease, lease, "the key's lease")
    equal(client:keepalive(lease), 30, "its time anew")
    client:revoke(lease)
    equal(#client:range "t/lease", 0, "its key is gone")
    equal(client:keepalive(lease), 0, "a lease that is gone")
    fails("etcd " .. endpoint .. ": etcdserver: requested lease not found", client.put, client, "t/lease", "1", lease)
    fails("requested lease not found", client.revoke, client, lease)

    lease = client:grant(30)
    client:put("t/lease", "1", lease)
    local connection, send = client:prepare_revoke(lease)
    send()
    check.eventually("the lease is revoked", function()
        return not client:range("t/lease")[1]
    end)
    connection:close()
end)

case("watch", function()
    local first = client:put("t/w", "1")
    local watch = client:watch("t/w", nil, first)
    equal(#watch:next(), 0, "it has begun")
    equal(watch:next()[1].value, "1", "from the revision on")
    client:put("t/w", ("x"):rep(200000))
    equal(#watch:next()[1].value, 200000, "a long line")
    client:put("t/x", "not watched")
    client:delete "t/w"
    local event = watch:next()[1]
    equal(event.key, "t/w", "the key")
    equal(event.deleted, true, "it was removed")
    local done
    skynet.fork(function()
        fails("etcd " .. endpoint .. ": ", watch.next, watch)
        done = true
    end)
    skynet.yield()
    watch:close()
    check.eventually("who waits gets an error", function()
        return done
    end)

    client:request("/v3/kv/compaction", { revision = tostring(event.revision) })
    watch = client:watch("t/w", nil, first)
    equal(#watch:next(), 0, "it has begun")
    equal(watch:next(), nil, "it has been compacted")
end)

case("refused", function()
    fails("etcd " .. endpoint .. ": status 404", client.request, client, "/v3/nothing", {})
    fails("key is not provided", client.put, client, "", "1")
    fails("authentication is not enabled", client.put, etcd.client { endpoints = endpoint, user = "a" }, "k", "1")
end)

check.main(cases)

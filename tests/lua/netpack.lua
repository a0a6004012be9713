--- skynet.netpack, fed with messages about sockets as the runtime would send
--- them: in any pieces, of every type, and wrong ones.

local skynet = require "skynet.manager"
local netpack = require "skynet.netpack"
local driver = require "skynet.socketdriver"
local print = require "print_line"

local DATA <const>, CONNECT <const>, CLOSE <const>, ACCEPT <const> = 1, 2, 3, 4
local ERROR <const>, UDP <const>, WARNING <const> = 5, 6, 7

--- Calls `netpack.filter` with a message, which is freed. Its data is filter's.
---@param queue userdata?
---@param kind integer
---@param id integer
---@param ud integer
---@param text string? the bytes that follow the message
---@param data string? the bytes in its block
---@return any ...
local function filter(queue, kind, id, ud, text, data)
    local block = 0
    if data then
        block = math.tointeger(tonumber(("%p"):format((driver.str2p(data)))))
    end
    local message, size = driver.str2p(string.pack("<i4i4i4i4j", kind, id, ud, 0, block) .. (text or ""))
    local result = table.pack(pcall(netpack.filter, queue, message, size))
    driver.drop(message, size)
    if not result[1] then
        error(result[2], 0)
    end
    return table.unpack(result, 2, result.n)
end

---@param queue userdata?
---@param id integer
---@param bytes string
local function data(queue, id, bytes)
    return filter(queue, DATA, id, #bytes, nil, bytes)
end

---@param text string
---@return string
local function frame(text)
    return netpack.tostring(netpack.pack(text))
end

local function same(...)
    local values = table.pack(...)
    local half = values.n // 2
    assert(values.n % 2 == 0, "an odd number of values")
    for i = 1, half do
        if values[i] ~= values[half + i] then
            error(("value %d is %s, not %s"):format(i, values[i], values[half + i]), 2)
        end
    end
end

local function fails(pattern, f, ...)
    local ok, message = pcall(f, ...)
    assert(not ok and message:find(pattern), message)
end

local case = {}

function case.pack()
    same(frame "", "\0\0")
    same(frame "abc", "\0\3abc")
    local long = ("x"):rep(0xffff)
    same(frame(long), "\xff\xff" .. long)
    local block, size = driver.str2p "block"
    same(netpack.tostring(netpack.pack(block, size)), "\0\5block")
    driver.drop(block, size)
    fails("^Invalid size %(too long%) of data : 65536$", netpack.pack, long .. "x")
    fails("string expected", netpack.pack, {})
    fails("size is negative", netpack.pack, skynet.pack(1), -1)
    same(netpack.tostring(nil, 0), "")
    fails("size is negative", netpack.tostring, nil, -1)
end

function case.whole_frames_make_no_queue()
    local queue, kind, fd, msg, size = data(nil, 7, frame "hello")
    same(queue, kind, fd, size, nil, "data", 7, 5)
    same(netpack.tostring(msg, size), "hello")
    queue, kind, fd, msg, size = data(nil, 7, "\0\0")
    same(queue, kind, fd, size, nil, "data", 7, 0)
    same(netpack.tostring(msg, size), "")
    same(select("#", data(nil, 7, "")), 1)
    same(select("#", netpack.pop(nil)), 0)
    same(select("#", netpack.clear(nil)), 0)
end

function case.one_byte_at_a_time()
    local queue
    local got = {}
    local sent = { "a", "", ("b"):rep(300), "\0\1\2" }
    for _, text in ipairs(sent) do
        for byte in frame(text):gmatch "." do
            local result = table.pack(data(queue, 3, byte))
            queue = result[1]
            assert(type(queue) == "userdata")
            if result.n > 1 then
                same(result.n, result[2], result[3], 5, "data", 3)
                table.insert(got, netpack.tostring(result[4], result[5]))
            end
        end
    end
    same(#got, #sent)
    for i, text in ipairs(sent) do
        same(got[i], text)
    end
end

function case.many_in_one_read()
    local queue, kind = data(nil, 3, "\0")
    same(kind, nil)
    local texts = {}
    for i = 1, 3000 do
        texts[i] = ("%d"):format(i)
    end
    local bytes = {}
    for i, text in ipairs(texts) do
        bytes[i] = frame(text)
    end
    -- So many that it may have to be another queue.
    queue, kind = data(queue, 3, table.concat(bytes):sub(2) .. "\0\5half")
    same(kind, "more")
    for _, text in ipairs(texts) do
        local fd, msg, size = netpack.pop(queue)
        same(fd, netpack.tostring(msg, size), 3, text)
    end
    same(select("#", netpack.pop(queue)), 0)
    -- Another socket's frame in between, then the second half.
    local again, fd, msg, size
    again, kind, fd, msg, size = data(queue, 4, frame "other")
    same(again, kind, fd, netpack.tostring(msg, size), queue, "data", 4, "other")
    again, kind, fd, msg, size = data(queue, 3, "!")
    same(again, kind, fd, netpack.tostring(msg, size), queue, "data", 3, "half!")
end

function case.events()
    local queue = data(nil, 3, "\0")
    same(queue, "open", 9, "127.0.0.1:80", filter(queue, ACCEPT, 1, 9, "127.0.0.1:80"))
    same(nil, "open", 9, "", filter(nil, ACCEPT, 1, 9))
    same(queue, "init", 1, "0.0.0.0", 80, filter(queue, CONNECT, 1, 80, "0.0.0.0"))
    same(queue, "warning", 3, 64, filter(queue, WARNING, 3, 64))
    same(nil, "error", 3, "reset", filter(nil, ERROR, 3, 0, "reset"))
    same(nil, "close", 3, filter(nil, CLOSE, 3, 0))
    same(queue, filter(queue, UDP, 3, 1, nil, "datagram with its address"))
    same(queue, filter(queue, 99, 3, 1))
    -- What had begun ends with its socket.
    for _, kind in ipairs { CLOSE, ERROR } do
        data(queue, 3, "\0")
        filter(queue, kind, 3, 0)
        local _, name, fd, msg, size = data(queue, 3, frame "new")
        same(name, fd, netpack.tostring(msg, size), "data", 3, "new")
    end
end

function case.clear()
    local queue = data(nil, 3, frame "a" .. frame "b" .. "\0\5c")
    netpack.clear(queue)
    same(select("#", netpack.pop(queue)), 0)
    local _, kind, fd, msg, size = data(queue, 3, frame "d")
    same(kind, fd, netpack.tostring(msg, size), "data", 3, "d")
    -- By hand, and again when it is collected.
    getmetatable(queue).__gc(queue)
    netpack.clear(queue)
end

function case.wrong_arguments()
    local message, size = driver.str2p(("\0"):rep(24))
    fails("too small", netpack.filter, nil, message, 23)
    fails("too small", netpack.filter, nil, message, -1)
    fails("socket message expected", netpack.filter, nil, nil, size)
    driver.drop(message, size)
    fails("without data", filter, nil, DATA, 3, 5)
    fails("invalid size of data : %-5", filter, nil, DATA, 3, -5, nil, "bytes")
    fails("netpack queue expected", filter, io.stdout, DATA, 3, 5, nil, "bytes")
    fails("netpack queue expected", filter, "queue", CLOSE, 3, 0)
    fails("netpack queue expected", netpack.pop, io.stdout)
    fails("netpack queue expected", netpack.clear, "queue")
    fails("message expected", netpack.tostring, io.stdout, 1)
end

---@return integer bytes that the process has in memory
local function resident()
    local file <close> = assert(io.open "/proc/self/statm")
    return tonumber(file:read "a":match "^%d+ (%d+)") * 4096
end

--- Every way that a block can go frees it: 300 MB would show.
function case.memory()
    local text = ("m"):rep(0x4000)
    local bytes = frame(text)
    local function round()
        local queue = data(nil, 1, bytes .. bytes .. bytes:sub(1, -2))
        local _, msg, size = netpack.pop(queue)
        netpack.tostring(msg, size)
        data(queue, 2, bytes:sub(1, 3))
        filter(queue, CLOSE, 2, 0)
        filter(queue, UDP, 1, 1, nil, bytes)
        pcall(filter, io.stdout, DATA, 1, #bytes, nil, bytes)
        if #text % 2 == 0 then
            netpack.clear(queue)
        end
        -- The last byte, and a frame that stays in a queue to be collected.
        data(queue, 1, "m" .. bytes .. bytes)
    end
    for _ = 1, 100 do
        round()
    end
    collectgarbage()
    local before = resident()
    for i = 1, 3000 do
        round()
        if i % 100 == 0 then
            collectgarbage()
        end
    end
    local grown = resident() - before
    assert(grown < 64 << 20, ("%d bytes more than before"):format(grown))
end

skynet.start(function()
    local names = {}
    for name in pairs(case) do
        table.insert(names, name)
    end
    table.sort(names)
    for _, name in ipairs(names) do
        local ok, message = xpcall(case[name], debug.traceback)
        if not ok then
            print(name, message)
            return skynet.abort()
        end
    end
    print "passed"
    skynet.abort()
end)

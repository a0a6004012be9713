-- skynet.netpack: what several sockets send, in pieces, and what else happens to them.
-- An input is a row of steps: a byte for what happens and to which socket, then for data
-- a byte for how many of the bytes behind it are read at once.

local netpack = require "skynet.netpack"

local event = ...

local DATA <const> = 1
-- What ends a socket: an error, a close.
local ENDS <const> = { [10] = 5, [15] = 3 }
-- What else a step can be. The last is of no known kind.
local OTHERS <const> = { [8] = 2, [9] = 4, [11] = 7, [12] = 99 }

local queue

-- Adds a frame to those of its socket.
local function add(frames, id, block, size)
    local list = frames[id]
    list[#list + 1] = netpack.tostring(block, size)
end

local function receive(frames, id, piece)
    local what, of, block, size
    queue, what, of, block, size = netpack.filter(queue, event(DATA, id, nil, piece))
    if what == "data" then
        add(frames, of, block, size)
    elseif what == "more" then
        for from, content, length in netpack.pop, queue do
            add(frames, from, content, length)
        end
    end
end

-- The frames that a socket's bytes begin with.
local function expected(bytes)
    local list, at = {}, 1
    while at + 1 <= #bytes and at + 1 + (">I2"):unpack(bytes, at) <= #bytes do
        list[#list + 1], at = (">s2"):unpack(bytes, at)
    end
    return list
end

local function run(input)
    local at = 1
    local failed = false
    local read, frames = {}, {}
    for id = 0, 3 do
        read[id], frames[id] = {}, {}
    end
    while at <= #input do
        local step = input:byte(at)
        local what, id = step & 15, step >> 4 & 3
        at = at + 1
        if what < 8 then
            local size = input:byte(at) or 0
            local piece = input:sub(at + 1, at + size)
            at = at + 1 + size
            table.insert(read[id], piece)
            receive(frames, id, piece)
        elseif what > 12 and what < 15 then
            -- What no core sends. Making the error takes longer than all the rest.
            if not failed then
                failed = true
                assert(not pcall(netpack.filter, queue, event(DATA, id, -1, "")))
                assert(not pcall(netpack.filter, {}, event(DATA, id, nil, "data")))
            end
        elseif ENDS[what] then
            queue = netpack.filter(queue, event(ENDS[what], id, 0, "", true))
            local bytes = table.concat(read[id])
            local list = expected(bytes)
            assert(#list == #frames[id])
            for index, frame in ipairs(list) do
                assert(frame == frames[id][index])
            end
            read[id], frames[id] = {}, {}
        else
            queue = netpack.filter(queue, event(OTHERS[what], id, 0, "text", true))
        end
    end
    netpack.clear(queue)
end

return {
    parser = {
        "lualib-src/src/netpack/frames.rs",
        "lualib-src/src/netpack.rs:filter",
        "lualib-src/src/netpack.rs:data",
        "lualib-src/src/netpack.rs:pop",
        "lualib-src/src/netpack.rs:clear",
        "lualib-src/src/netpack.rs:tostring",
    },
    longest = 120,
    memory = 300000,
    memory_per_byte = 100,
    run = run,
}

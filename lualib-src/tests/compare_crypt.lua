--- Compares two builds of skynet.crypt and md5.core: ours and the reference's. comparison.lua tells how;
--- the first service is
--
--     snlua compare_crypt <ours>/libskynet_lualib.so <reference>/luaclib/client.so <reference>/luaclib/md5.so

local comparison = require "comparison"

local our_file, their_crypt, their_md5, seed = ...
local open, check, bytes, random = comparison.open, comparison.check, comparison.bytes, math.random
comparison.begin(open(our_file, "skynet_core"), seed)

--- Mostly short, with every length around a block, and sometimes long.
local function text()
    local kind = random(20)
    if kind == 1 then
        return bytes(random(0, 5000))
    end
    return bytes(kind == 2 and 8 * random(0, 40) or random(0, 150))
end

local function from(alphabet, length)
    local list = {}
    for i = 1, length do
        local at = random(#alphabet)
        list[i] = alphabet:sub(at, at)
    end
    return table.concat(list)
end

local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

--- A text with something changed.
local function damage(s, alphabet)
    local at = random(0, #s)
    local kind = random(3)
    if kind == 1 then
        return s:sub(1, at)
    elseif kind == 2 then
        return s:sub(1, at) .. from(alphabet, random(3)) .. s:sub(at + 1)
    end
    return s:sub(1, at) .. from(alphabet, 1) .. s:sub(at + 2)
end

local ours, theirs

--- Calls a function of both; the result of the reference's. That errors are errors
-- is compared, and the reference's text is to be found in ours.
local function same(name, ...)
    local ok, result = pcall(ours[name], ...)
    local their_ok, their_result = pcall(theirs[name], ...)
    local what = name .. "(" .. show((...)) .. ", " .. show((select(2, ...))) .. ")"
    check(what .. " succeeds", ok, their_ok)
    if ok and their_ok then
        check(what, result, their_result)
    elseif not ok and not their_ok then
        local found = result:find(their_result, 1, true)
        local argument = result:find("bad argument #", 1, true)
        check(what .. " says " .. result, (found and argument) ~= nil, true)
    end
    return their_ok and their_result
end

local function compare_crypt()
    ours, theirs = open(our_file, "skynet_crypt"), open(their_crypt, "client_crypt")
    for name, value in pairs(theirs) do
        check("type of " .. name, type(ours[name]), type(value))
        if type(value) == "function" and name ~= "randomkey" then
            pcall(same, name)
            same(name, "short", "short")
            same(name, bytes(8), bytes(8), 2)
            same(name, ("\0"):rep(8), ("\0"):rep(8), -1)
        end
    end
    for name, value in pairs(theirs.padding) do
        check("padding " .. name, ours.padding[name], value)
    end
    local prime = string.pack("<I8", -59)
    for _, number in ipairs { 1, 2, 3, -58, -59, -60, -1, math.mininteger, math.maxinteger } do
        local packed = string.pack("<i8", number)
        same("dhexchange", packed)
        for _, other in ipairs { prime, packed, string.pack("<i8", 1), string.pack("<i8", 2) } do
            same("dhsecret", packed, other)
            same("dhsecret", other, packed)
        end
    end
    for _ = 1, 3000 do
        local s, key, other = text(), bytes(8), bytes(8)
        same("hashkey", s)
        same("sha1", s)
        same("hmac_sha1", text(), s)
        same("hmac_hash", key, s)
        same("hmac64", key, other)
        same("hmac64_md5", key, other)
        same("dhexchange", key)
        same("dhsecret", key, other)
        same("xor_str", s, text())
        same("hexdecode", same("hexencode", s))
        same("hexdecode", from("0123456789abcdefgWXYZ[`", 2 * random(0, 8)))
        same("hexdecode", bytes(random(0, 6)))
        local encoded = same("base64encode", s)
        same("base64decode", encoded)
        for _ = 1, 3 do
            encoded = damage(encoded, BASE64 .. "====\n -_")
            same("base64decode", encoded)
        end
        same("base64decode", from("ABQgw=\n*", random(0, 12)))
        same("base64decode", bytes(random(0, 40)))
        for padding = 0, 1 do
            local crypted = same("desencode", key, s, padding)
            same("desdecode", key, crypted, padding)
            same("desdecode", key, crypted, 1 - padding)
            same("desdecode", key, damage(crypted, "\0\1\xff"), padding)
            -- Any end of a text that is no block too long, so that padding of all
            -- lengths, right and wrong, comes up.
            local last = s:sub(1, 8) .. from("\0\0\0\x80\1\2", 8)
            crypted = theirs.desencode(key, last:sub(-8), padding):sub(1, 8)
            same("desdecode", key, crypted, padding)
            crypted = theirs.desencode(key, last:sub(-16, -9):rep(2):sub(-8)
                .. string.char(random(0, 9)):rep(8), padding):sub(1, 16)
            same("desdecode", key, crypted, padding)
        end
        same("desencode", key, s)
        same("desencode", s, key)
    end
end

local function compare_md5()
    ours, theirs = open(our_file, "md5_core"), open(their_md5, "md5_core")
    for name, value in pairs(theirs) do
        check("type of " .. name, type(ours[name]), type(value))
        if type(value) == "string" then
            check(name, ours[name], value)
        end
    end
    for _ = 1, 3000 do
        local s, key, start = text(), bytes(random(0, 260)), bytes(random(0, 17))
        same("sum", s)
        same("exor", s, bytes(#s))
        same("exor", s, text())
        local crypted = same("crypt", s, key, start)
        if crypted then
            same("decrypt", crypted, key)
            check("sumhexa", ours.sumhexa(s), (theirs.sum(s):gsub(".", function(c)
                return string.format("%02x", c:byte())
            end)))
        end
        same("decrypt", bytes(random(0, 20)), key)
        same("decrypt", string.char(random(0, 18)) .. text(), key)
        key = key:sub(1, 256)
        check("a random seed", theirs.decrypt(ours.crypt(s, key), key), s)
    end
end

compare_crypt()
compare_md5()
comparison.finish()

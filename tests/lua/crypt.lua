--- skynet.crypt, client.crypt and md5 as programs use them, and their errors.

local skynet = require "skynet.manager"
local print = require "print_line"
local crypt = require "skynet.crypt"
local md5 = require "md5"

local function fails(argument, text, func, ...)
    local ok, why = pcall(func, ...)
    assert(not ok and why:find("bad argument #" .. argument, 1, true) and why:find(text, 1, true), why)
end

local function login()
    local challenge = crypt.randomkey()
    assert(#challenge == 8 and challenge ~= crypt.randomkey())
    local clientkey, serverkey = crypt.randomkey(), crypt.randomkey()
    local secret = crypt.dhsecret(crypt.dhexchange(serverkey), clientkey)
    assert(secret == crypt.dhsecret(crypt.dhexchange(clientkey), serverkey))
    assert(#crypt.hmac64(challenge, secret) == 8)
    local token = ("user@sample:"):rep(40) .. "password"
    local sent = crypt.base64encode(crypt.desencode(secret, token))
    assert(crypt.desdecode(secret, crypt.base64decode(sent)) == token)
    sent = crypt.hexencode(crypt.desencode(secret, token, crypt.padding.pkcs7))
    assert(crypt.desdecode(secret, crypt.hexdecode(sent), crypt.padding.pkcs7) == token)
    assert(crypt.xor_str(crypt.xor_str(token, "key"), "key") == token)
    local m = md5.sum((challenge .. secret):rep(3))
    assert(crypt.hmac64_md5(challenge, secret) == crypt.xor_str(m:sub(1, 8), m:sub(9, 16)))
end

local function known()
    assert(crypt.hexencode(crypt.sha1 "abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
    assert(md5.sumhexa "abc" == "900150983cd24fb0d6963f7d28e17f72")
    assert(md5.hmacmd5("what do ya want for nothing?", "Jefe") == "750c783e6ab0b503eaa86e310a5db738")
    assert(md5.exor("abc", "abc") == "\0\0\0")
    assert(md5.decrypt(md5.crypt("text", "key"), "key") == "text")
    assert(require "client.crypt".hashkey "x" == crypt.hashkey "x")
    assert(require "md5.core" == md5 and md5._VERSION == "MD5 1.2")
end

local function errors()
    fails(1, "string expected", crypt.sha1)
    fails(2, "string expected", crypt.hmac_sha1, "key")
    fails(1, "Invalid key size 7, need 8 bytes", crypt.desencode, "1234567", "")
    fails(3, "Invalid padding mode 2", crypt.desencode, "12345678", "", 2)
    fails(3, "Invalid padding mode -1", crypt.desencode, "12345678", "", -1)
    fails(2, "Invalid des crypt text length 9", crypt.desdecode, "12345678", "123456789")
    fails(2, "Invalid des crypt text", crypt.desdecode, "12345678", "12345678")
    fails(1, "Invalid hex text size 1", crypt.hexdecode, "0")
    fails(1, "Invalid hex text", crypt.hexdecode, "0x")
    fails(1, "Invalid base64 text", crypt.base64decode, "=")
    fails(2, "Invalid uint64 y", crypt.hmac64, "12345678", "")
    fails(1, "Invalid uint64 key", crypt.hmac_hash, "", "")
    fails(1, "Can't be 0", crypt.dhexchange, ("\0"):rep(8))
    fails(2, "Can't be 0", crypt.dhsecret, "12345678", ("\0"):rep(8))
    fails(2, "Can't xor empty string", crypt.xor_str, "text", "")
    fails(2, "lengths must be equal", md5.exor, "a", "ab")
    fails(3, "seed too long (> 16)", md5.crypt, "text", "key", ("s"):rep(17))
    fails(2, "key too long (> 256)", md5.crypt, "text", ("k"):rep(257))
    fails(1, "invalid cyphered string", md5.decrypt, "\5seed", "key")
    fails(1, "invalid cyphered string", md5.decrypt, "", "key")
end

local function run()
    login()
    known()
    errors()
end

skynet.start(function()
    local ok, err = xpcall(run, debug.traceback)
    print(ok and "passed" or err)
    skynet.abort()
end)

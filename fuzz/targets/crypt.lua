-- skynet.crypt: any text as base64, hexadecimal and DES. The first byte says which key and
-- padding.

local crypt = require "skynet.crypt"

local KEYS <const> = { "12345678", "\0\0\0\0\0\0\0\0" }
local PADDINGS <const> = { crypt.padding.iso7816_4, crypt.padding.pkcs7 }

local function run(input)
    local ok, bytes = pcall(crypt.base64decode, input)
    if ok then
        assert(crypt.base64decode(crypt.base64encode(bytes)) == bytes)
    end
    ok, bytes = pcall(crypt.hexdecode, input)
    if ok then
        assert(#bytes == #input // 2 and crypt.hexdecode(crypt.hexencode(bytes)) == bytes)
    end
    local choice = input:byte() or 0
    local key = KEYS[choice % 2 + 1]
    local padding = PADDINGS[choice // 2 % 2 + 1]
    local text = input:sub(2)
    pcall(crypt.desdecode, key, text, padding)
    assert(crypt.desdecode(key, crypt.desencode(key, text, padding), padding) == text)
end

return {
    parser = { "lualib-src/src/crypt/text.rs", "lualib-src/src/crypt/block.rs" },
    words = { "=", "==", "QUJD", "QQ==", "QUI=", "0a", "ff", "g", " ", "\n" },
    longest = 120,
    memory = 16384,
    memory_per_byte = 64,
    run = run,
}

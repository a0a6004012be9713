--- The checksum by which redis clusters distribute keys: CRC-16/XMODEM, with the polynomial 0x1021 and no reflection.

local byte = string.byte

local POLYNOMIAL <const> = 0x1021

-- What each value of the upper byte adds.
local remainders = {}
for value = 0, 0xff do
    local crc = value << 8
    for _ = 1, 8 do
        crc = crc << 1
        if crc & 0x10000 ~= 0 then
            crc = crc ~ (0x10000 | POLYNOMIAL)
        end
    end
    remainders[value] = crc
end

---@param bytes string
---@return integer  16 bits
return function(bytes)
    local crc = 0
    for i = 1, #bytes do
        crc = (crc & 0xff) << 8 ~ remainders[crc >> 8 ~ byte(bytes, i)]
    end
    return crc
end

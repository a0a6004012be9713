--- Packages between a harbor network's master and its slaves: one byte with the size, then packed values, the first of
--- them a letter.
---
--- | to the master | | to a slave | |
--- |---|---|---|---|
--- | `H id address` | the slave's number and where it takes links | `W n` | so many others will connect |
--- | `R name handle` | a global name | `C id address` | another slave: connect to it |
--- | `Q name` | who has this name? | `N name handle` | a global name |
--- | | | `D id` | a slave has left |

local skynet = require "skynet"
local socket = require "skynet.socket"

local LONGEST <const> = 255

local package = {}

--- Packs values.
---@param letter string
---@return string bytes  an error if there are more than 255
function package.pack(letter, ...)
    local content = skynet.packstring(letter, ...)
    if #content > LONGEST then
        error(("a harbor package of %d bytes is too long"):format(#content), 2)
    end
    return string.char(#content, content:byte(1, -1))
end

--- Reads the next package. An error if the connection closes, or it cannot be unpacked.
---@param fd integer
---@return any ...  the values
function package.read(fd)
    local size = socket.read(fd, 1)
    if size == "\0" then
        error("an empty harbor package", 0)
    end
    local content = size and socket.read(fd, size:byte())
    if not content then
        error("closed", 0)
    end
    return skynet.unpack(content)
end

--- Whether a value is a slave's number.
---@return boolean
function package.is_id(value)
    return math.type(value) == "integer" and value > 0 and value < 256
end

return package

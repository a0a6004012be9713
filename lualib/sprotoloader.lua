-- Schemas that all services of a node share: one service parses them, the others
-- load them by their number, 0 to 15.

local core = require "sproto.core"
local sproto = require "sproto"

local loader = {}

---Shares the schema of a file.
---@param filename string
---@param index? integer 0 if it is left out
function loader.register(filename, index)
    local file, reason = io.open(filename)
    if not file then
        error("Can't open sproto file: " .. reason, 2)
    end
    local text = file:read "a"
    file:close()
    loader.save(require "sprotoparser".parse(text, filename), index)
end

---Shares the schema of a bundle. The one that had the number stays valid for those
---who loaded it.
---@param bundle string
---@param index? integer
function loader.save(bundle, index)
    local schema = core.newproto(bundle)
    if not schema then
        error("sprotoloader.save: the string is no bundle", 2)
    end
    core.saveproto(schema, index)
end

---An object for a shared schema.
---@param index? integer
---@return sproto
function loader.load(index)
    return sproto.sharenew(core.loadproto(index))
end

return loader

-- Garbage of every kind while shared functions run, in both modes, with and
-- without collections at inconvenient moments.
local function work(rounds)
    local kept = {}
    for i = 1, rounds do
        local key = "key" .. i % 50
        local object = setmetatable({ name = key, list = { i, i + 1, key } }, {
            __index = function(self, field)
                return self.name .. field
            end,
            __gc = i % 7 == 0 and function(self)
                assert(self.name:sub(1, 3) == "key")
            end or nil,
        })
        kept[key] = object
        kept[i % 20 + 1] = function()
            return object.list[3], object.tail
        end
        if i % 11 == 0 then
            collectgarbage "step"
        end
    end
    for i = 1, 20 do
        local key, tail = kept[i]()
        assert(tail == key .. "tail" and kept[key])
    end
    return #kept
end
for _, mode in ipairs { "incremental", "generational", "incremental" } do
    collectgarbage(mode)
    assert(work(400) == 20)
    collectgarbage()
    assert(work(100) == 20)
end
local weak = setmetatable({}, { __mode = "v" })
weak.text, weak.code, weak.gone = "constant", work, {}
collectgarbage()
assert(weak.text == "constant" and weak.code == work and weak.gone == nil)
return true

-- Preloaded into every service of a compared node. `print` writes its line to the
-- log instead of to standard output: there it has the address of its service, and
-- no other thread's output in its middle.

local core = require "skynet.core"

function print(...)
    local words = table.pack(...)
    for i = 1, words.n do
        words[i] = tostring(words[i])
    end
    core.error(table.concat(words, "\t"))
end

--- `print` for services whose output a test reads; no service. A line goes out in
--- one piece: the logger writes to the same place.

---@param ... any
return function(...)
    local words = table.pack(...)
    for i = 1, words.n do
        words[i] = tostring(words[i])
    end
    io.write(table.concat(words, "\t") .. "\n")
    io.stdout:flush()
end

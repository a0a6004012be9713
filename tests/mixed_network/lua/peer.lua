--- A service that the programs on other nodes call.

local skynet = require "skynet.manager"
local report = require "report"

local notes = {}
local waiting

---By the name of the message.
local answers = {}

function answers.echo(...)
    return ...
end

---@param size integer
function answers.blob(size)
    return report.blob(size)
end

---@param text string
---@return integer, boolean
function answers.check(text)
    return #text, text == report.blob(#text)
end

---Is sent: it is kept in order. The last one of a row ends the wait for it.
---@param text string or a long one, whose length is kept
---@param last boolean?
function answers.note(text, last)
    notes[#notes + 1] = #text > 300 and ("%d bytes %s"):format(answers.check(text)) or text
    if last then
        notes.complete = true
        if waiting then
            skynet.wakeup(waiting)
        end
    end
end

---@return string notes since the last time, when the last one of a row has come
function answers.notes()
    if not notes.complete then
        waiting = coroutine.running()
        skynet.wait(waiting)
        waiting = nil
    end
    local all = table.concat(notes, " ")
    notes = {}
    return all
end

---@param what any
function answers.fail(what)
    error(what)
end

---@param ticks integer hundredths of a second
function answers.sleep(ticks)
    skynet.sleep(ticks)
    return ticks
end

---A new service like this one.
---@return integer
function answers.another()
    return skynet.newservice(SERVICE_NAME)
end

---The caller gets no answer.
function answers.quit()
    skynet.exit()
end

---Gives this service a name.
---@param text string
function answers.name(text)
    skynet.name(text, skynet.self())
end

skynet.start(function()
    skynet.dispatch("lua", function(session, _, name, ...)
        local answer = assert(answers[name], name)
        if session == 0 then
            answer(...)
        else
            skynet.retpack(answer(...))
        end
    end)
end)

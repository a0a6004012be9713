--- Looks at the page of examples/web through a browser's remote debugging protocol: what it shows by itself, and after
--- somebody has typed something. Settings: `devtools` is the browser's port for that.

local skynet = require "skynet"
local httpc = require "http.httpc"
local websocket = require "http.websocket"
local check = require "socket_check"

local equal, eventually = check.equal, check.eventually

local browser = "127.0.0.1:" .. skynet.getenv "devtools"

--- The target's WebSocket, when the page is there.
local function target()
    local url
    eventually("the browser has a page", function()
        local code, body = httpc.get(browser, "/json/list")
        equal(code, 200, "code")
        for text in body:gmatch "%b{}" do
            if text:find '"type": "page"' and text:find '"title": "skynet"' then
                url = text:match '"webSocketDebuggerUrl": "([^"]+)"'
            end
        end
        return url
    end)
    return url
end

local number = 0

--- Sends a command, and waits for its answer.
local function command(id, method, parameters)
    number = number + 1
    websocket.write(id, ('{"id":%d,"method":"%s","params":{%s}}'):format(number, method, parameters or ""))
    local answer
    repeat
        answer = assert(websocket.read(id))
    until answer:find(('^{"id":%d[,}]'):format(number))
    return answer
end

--- The value of an expression that is a string. It has no characters that JSON has to escape.
local function evaluate(id, expression)
    local answer = command(id, "Runtime.evaluate", '"expression":"' .. expression .. '"')
    return answer:match '"type":"string","value":"([^"]*)"' or error(answer)
end

local TEXTS <const> = "Array.from(document.querySelectorAll('#messages li'), (line) => line.textContent).join('|')"

local function shows(id, what)
    local text
    local ok, reason = pcall(eventually, what, function()
        text = evaluate(id, TEXTS)
        return text:find(what, 1, true)
    end)
    if not ok then
        error(("%s; it shows %s"):format(reason, text), 0)
    end
end

check.main {
    {
        "the page",
        function()
            local id = websocket.connect(target())
            equal(evaluate(id, "document.querySelector('h1').textContent"), "This page comes from skynet", "headline")
            shows(id, "|welcome, 127.0.0.1:")
            shows(id, "|you said: hello from the page")
            equal(evaluate(id, "document.getElementById('state').textContent"), "connected", "state")
            command(id, "Runtime.evaluate", [["expression":"text.value = 'typed'; document.forms[0].requestSubmit()"]])
            shows(id, "|typed|you said: typed")
            -- So many bytes need the long form of a frame's size, both ways.
            command(id, "Runtime.evaluate", [["expression":"say('x'.repeat(70000))"]])
            eventually("what is long comes back", function()
                return evaluate(id, "String(messages.lastChild.textContent.length)") == "70010"
            end)
            equal(evaluate(id, "socket.close(3001, 'done'), 'closing'"), "closing", "close")
            eventually("the page sees the end", function()
                return evaluate(id, "document.getElementById('state').textContent"):find "^closed, code %d+$"
            end)
            command(id, "Browser.close")
            websocket.close(id)
        end,
    },
}

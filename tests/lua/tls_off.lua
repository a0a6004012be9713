--- ltls.c in a node whose config says `enablessl = false`.

local check = require "socket_check"

check.main {
    {
        "off",
        function()
            check.fails("ltls need init, Put enablessl = true in you config file.", require, "ltls.c")
            check.fails("ltls need init", require, "http.tlshelper")
            require "ltls.init.c"
        end,
    },
}

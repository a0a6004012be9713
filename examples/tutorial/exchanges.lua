--- What is typed in each exchange of the tutorial, and the lines that have to appear.
---
--- `type`: command lines, in this order. One with after = { position, line } is typed when the program at that position
--- has logged the line.
--- `lines`: sequences, each of a position and the lines of the program that was typed there. They have to come in this
--- order, perhaps with others between them. Placeholders: {n} a number, {address} a service, {co} a coroutine, {any}
--- anything.

return {
    {
        title = "packing and unpacking",
        type = { { "18-testpack" } },
        lines = {
            { 1, "LAUNCH snlua 18-testpack", "testmsg 1.22 false", "arg1: testmsg", "arg2: 1.22", "arg3: false" },
        },
    },
    {
        title = "send and rawsend",
        type = { { "19-testluamsg" }, { "20-testsendmsg" } },
        lines = {
            {
                1, "LAUNCH snlua 19-testluamsg", "co {co} false",
                "co {co} false", "session 0", "address {address}", "arg1: 99", "arg2: testmsg99", "arg3: true",
                "co {co} false", "session 0", "address {address}", "arg1: 100", "arg2: testmsg100", "arg3: false",
            },
            {
                2, "LAUNCH snlua 20-testsendmsg",
                "skynet.send return value: 0", "skynet.rawsend return value: 0",
            },
        },
    },
    {
        title = "call and rawcall",
        type = { { "19-testluamsg" }, { "21-testcallmsg" } },
        lines = {
            {
                1, "LAUNCH snlua 19-testluamsg", "co {co} false",
                "co {co} false", "session {n}", "address {n}", "arg1: 101", "arg2: testcallmsg", "arg3: false",
                "co {co} false", "session {n}", "address {n}", "arg1: 102", "arg2: testrawcallmsg", "arg3: true",
            },
            {
                2, "LAUNCH snlua 21-testcallmsg",
                "skynet.call return value: ret call msg", "skynet.rawcall return value: ret call msg",
            },
        },
    },
    {
        title = "commands",
        type = { { "22-mydb" }, { "23-testmydb poweroff 99" } },
        lines = {
            { 1, "LAUNCH snlua 22-mydb", "cmd SET  :param poweroff 99", "cmd GET  :param poweroff" },
            {
                2, "LAUNCH snlua 23-testmydb poweroff 99",
                "key poweroff :value 99", "mydb set ret 0", "mydb get ret 99", "KILL self",
            },
        },
    },
    {
        title = "sessions of two tasks",
        type = { { "24-echoluamsg" }, { "25-testforkcall" } },
        lines = {
            { 1, "LAUNCH snlua 24-echoluamsg" },
            {
                2, "LAUNCH snlua 25-testforkcall",
                "task1 call index: 1", "task1 return: TASK1 INDEX: 1  session: {n}",
                "task1 call index: 2", "task1 return: TASK1 INDEX: 2  session: {n}",
                "task1 call index: 3", "task1 return: TASK1 INDEX: 3  session: {n}",
                "task1 call index: 4", "task1 return: TASK1 INDEX: 4  session: {n}",
                "task1 call index: 5", "task1 return: TASK1 INDEX: 5  session: {n}",
            },
            {
                2, "LAUNCH snlua 25-testforkcall",
                "task2 call index: 1", "task2 return: TASK2 INDEX: 1  session: {n}",
                "task2 call index: 2", "task2 return: TASK2 INDEX: 2  session: {n}",
                "task2 call index: 3", "task2 return: TASK2 INDEX: 3  session: {n}",
                "task2 call index: 4", "task2 return: TASK2 INDEX: 4  session: {n}",
                "task2 call index: 5", "task2 return: TASK2 INDEX: 5  session: {n}",
            },
        },
    },
    {
        title = "an answer from another task",
        type = { { "26-mydb2" }, { "23-testmydb testcmd 111" } },
        lines = {
            {
                1, "LAUNCH snlua 26-mydb2",
                "lua dispatch {co} false", "lua dispatch {co} false", "fun SET", "fun GET",
            },
            {
                2, "LAUNCH snlua 23-testmydb testcmd 111",
                "key testcmd :value 111", "mydb set ret 0", "mydb get ret 111", "KILL self",
            },
        },
    },
    {
        title = "the same without skynet.response",
        type = { { "26-mydb2 retpack" }, { "23-testmydb testcmd 111" } },
        lines = {
            {
                1, "LAUNCH snlua 26-mydb2 retpack",
                "lua dispatch {co} false", "lua dispatch {co} false", "fun SET",
                "lua call [{n} to {address} : {n} msgsz = {n}] error : {any}: No session{any}",
            },
            { 2, "LAUNCH snlua 23-testmydb testcmd 111", "key testcmd :value 111", "mydb set ret 0" },
        },
    },
    {
        title = "commands that overtake each other",
        type = {
            { "22-mydb slow" },
            { "23-testmydb ping aa time" },
            { "23-testmydb ping bb time", after = { 1, "cmd GET  :param ping" } },
        },
        lines = {
            {
                1, "LAUNCH snlua 22-mydb slow",
                "cmd SET  :param ping aa", "SET key ping value aa  time {n}", "cmd GET  :param ping",
                "cmd SET  :param ping bb", "SET key ping value bb  time {n}", "cmd GET  :param ping",
                "GET key ping time {n}", "GET key ping time {n}",
            },
            { 2, "key ping :value aa", "mydb set ret 0 time {n}", "mydb get ret bb time {n}", "KILL self" },
            { 3, "key ping :value bb", "mydb set ret 0 time {n}", "mydb get ret bb time {n}", "KILL self" },
        },
    },
    {
        title = "commands in a queue",
        type = {
            { "22-mydb queue" },
            { "23-testmydb ping aa time" },
            { "23-testmydb ping bb time", after = { 1, "cmd GET  :param ping" } },
        },
        lines = {
            {
                1, "LAUNCH snlua 22-mydb queue",
                "cmd SET  :param ping aa", "SET key ping value aa  time {n}", "cmd GET  :param ping",
                "cmd SET  :param ping bb", "cmd GET  :param ping",
                "GET key ping time {n}", "SET key ping value bb  time {n}", "GET key ping time {n}",
            },
            { 2, "key ping :value aa", "mydb set ret 0 time {n}", "mydb get ret aa time {n}", "KILL self" },
            { 3, "key ping :value bb", "mydb set ret 0 time {n}", "mydb get ret bb time {n}", "KILL self" },
        },
    },
    {
        title = "another message type",
        type = { { "29-othermsg" }, { "30-testothermsg" } },
        lines = {
            { 1, "LAUNCH snlua 29-othermsg", "othermsg receive msg: test othermsg" },
            { 2, "LAUNCH snlua 30-testothermsg", "return value: success !" },
        },
    },
    {
        title = "a proxy",
        type = { { "29-othermsg" }, { "31-proxy .othermsg" }, { "30-testothermsg" } },
        lines = {
            { 1, "LAUNCH snlua 29-othermsg", "othermsg receive msg: test othermsg" },
            { 2, "LAUNCH snlua 31-proxy .othermsg", "proxy receive msg: test othermsg" },
            { 3, "LAUNCH snlua 30-testothermsg", "return value: success !" },
        },
    },
    {
        title = "a proxy that does not unpack",
        type = { { "32-forward" }, { "22-mydb" }, { "23-testmydb ping aaa" } },
        lines = {
            { 1, "LAUNCH snlua 32-forward" },
            { 2, "LAUNCH snlua 22-mydb" },
            {
                3, "LAUNCH snlua 23-testmydb ping aaa",
                "key ping value aaa", "mydb set Test 0", "mydb get Test aaa", "KILL self",
            },
        },
    },
    {
        title = "a send in another's name",
        type = { { "19-testluamsg" }, { "20-testsendmsg" }, { "33-testredirect", after = { 1, "arg3: false" } } },
        lines = {
            {
                1, "LAUNCH snlua 19-testluamsg", "testluamsg self {n}", "co {co} false",
                "co {co} false", "session 0", "address {address}", "arg1: 99", "arg2: testmsg99", "arg3: true",
                "co {co} false", "session 0", "address {address}", "arg1: 100", "arg2: testmsg100", "arg3: false",
                "co {co} false", "session 0", "address {address}",
                "arg1: test redirect msg", "arg2: 11", "arg3: true",
            },
            {
                2, "LAUNCH snlua 20-testsendmsg", "testsendmsg self {n}",
                "skynet.send return value: 0", "skynet.rawsend return value: 0",
            },
            { 3, "LAUNCH snlua 33-testredirect", "testredirect self {n}" },
        },
    },
    {
        title = "multicast",
        type = { { "36-multicastpub" }, { "37-multicastsub 0", after = { 1, "new channel ID 0" } } },
        lines = {
            {
                2, "LAUNCH snlua 37-multicastsub 0",
                "channel ID: [Multicast:0] source: {address} msg: data{n}",
                "channel ID: [Multicast:0] source: {address} msg: data{n}",
                "channel ID: [Multicast:0] source: {address} msg: data{n}",
            },
            { 1, "LAUNCH snlua 36-multicastpub", "new channel ID 0", "KILL self" },
        },
    },
}

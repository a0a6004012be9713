-- A login server and a game server whose players keep their place when a connection breaks: run it, then
-- examples/login/client.lua in another terminal.
include "config.path"

luaservice = root .. "examples/login/?.lua;" .. luaservice
thread = 4
harbor = 0                      -- no other nodes
bootstrap = "snlua bootstrap"
start = "main"
login_address = "127.0.0.1"     -- of both servers; "0.0.0.0" lets players of other machines in
login_port = 8002               -- 0: one that is free
game_port = 8003                -- 0: one that is free
game_players = 1000             -- at most

// A Lua module as third parties write them: it takes the service's context from the
// registry, sends blocks that it allocates with skynet_malloc, and reads the messages
// of sockets.
#include "skynet.h"
#include "skynet_socket.h"

#include <lauxlib.h>
#include <lua.h>
#include <string.h>

static struct skynet_context *context_of(lua_State *L) {
    return lua_touserdata(L, lua_upvalueindex(1));
}

static int l_listen(lua_State *L) {
    lua_pushinteger(L, skynet_socket_listen(context_of(L), luaL_checkstring(L, 1),
                                            (int)luaL_checkinteger(L, 2), 32));
    return 1;
}

static int l_connect(lua_State *L) {
    lua_pushinteger(L, skynet_socket_connect(context_of(L), luaL_checkstring(L, 1),
                                             (int)luaL_checkinteger(L, 2)));
    return 1;
}

static int l_start(lua_State *L) {
    skynet_socket_start(context_of(L), (int)luaL_checkinteger(L, 1));
    return 0;
}

static int l_nodelay(lua_State *L) {
    skynet_socket_nodelay(context_of(L), (int)luaL_checkinteger(L, 1));
    return 0;
}

static int l_close(lua_State *L) {
    skynet_socket_close(context_of(L), (int)luaL_checkinteger(L, 1));
    return 0;
}

static int l_send(lua_State *L) {
    size_t size;
    const char *text = luaL_checklstring(L, 2, &size);
    char *block = skynet_malloc(size);
    memcpy(block, text, size);
    int result = skynet_socket_send(context_of(L), (int)luaL_checkinteger(L, 1), block, (int)size);
    lua_pushboolean(L, result == 0);
    return 1;
}

// The type, id and number of a message, and its data or text. The data is freed.
static int l_unpack(lua_State *L) {
    luaL_checktype(L, 1, LUA_TLIGHTUSERDATA);
    const struct skynet_socket_message *message = lua_touserdata(L, 1);
    size_t size = (size_t)luaL_checkinteger(L, 2);
    lua_pushinteger(L, message->type);
    lua_pushinteger(L, message->id);
    lua_pushinteger(L, message->ud);
    if (message->buffer == NULL) {
        lua_pushlstring(L, (const char *)(message + 1), size - sizeof *message);
    } else {
        lua_pushlstring(L, message->buffer, (size_t)message->ud);
        skynet_free(message->buffer);
    }
    return 4;
}

int luaopen_sockets(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"listen", l_listen}, {"connect", l_connect}, {"start", l_start}, {"nodelay", l_nodelay},
        {"close", l_close},   {"send", l_send},       {"unpack", l_unpack}, {NULL, NULL},
    };
    luaL_checkversion(L);
    luaL_newlibtable(L, functions);
    lua_getfield(L, LUA_REGISTRYINDEX, "skynet_context");
    if (!lua_islightuserdata(L, -1))
        return luaL_error(L, "there is no service");
    luaL_setfuncs(L, functions, 1);
    return 1;
}

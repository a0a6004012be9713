/*
** Tests of what states share: the functions of docs/lua-patches.md, one by one
** and by many threads at once. A check that fails ends the program.
**
** usage: share api DIRECTORY     the contract of each function
**        share race FILE...      Lua programs that check themselves, and shared
**                                tables, in many states at once
*/

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lua.h"
#include "lualib.h"
#include "lauxlib.h"

/* As modules of the reference do, which mark tables themselves. */
#include "lgc.h"
#include "lstate.h"

/* For hashes(). */
#include "lhash.h"

#define THREADS		6
#define ROUNDS		6

#define check(condition) \
	((condition) ? (void)0 : failed(#condition, __LINE__))

static void failed (const char *what, int line) {
  fprintf(stderr, "share.c:%d: %s\n", line, what);
  exit(1);
}


static lua_State *newstate (void) {
  lua_State *L = luaL_newstate();
  check(L != NULL);
  luaL_openlibs(L);
  return L;
}


/* Runs a text with the values on the stack as arguments; all its results stay. */
static void runwith (lua_State *L, const char *text, int arguments) {
  if (luaL_loadstring(L, text) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(1);
  }
  lua_insert(L, -1 - arguments);
  if (lua_pcall(L, arguments, LUA_MULTRET, 0) != LUA_OK) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    exit(1);
  }
}


static void run (lua_State *L, const char *text) {
  runwith(L, text, 0);
}


typedef void (*Worker) (int number);

static void *start (void *argument) {
  void **pair = (void **)argument;
  ((Worker)pair[0])((int)(size_t)pair[1]);
  return NULL;
}


static void inthreads (Worker worker) {
  pthread_t threads[THREADS];
  void *pairs[THREADS][2];
  int i;
  for (i = 0; i < THREADS; i++) {
    pairs[i][0] = (void *)worker;
    pairs[i][1] = (void *)(size_t)i;
    check(pthread_create(&threads[i], NULL, start, pairs[i]) == 0);
  }
  for (i = 0; i < THREADS; i++)
    check(pthread_join(threads[i], NULL) == 0);
}


/*
** {======================================================
** The contract
** =======================================================
*/


static int sharestring1 (lua_State *L) { lua_sharestring(L, 1); return 0; }
static int sharefunction1 (lua_State *L) { lua_sharefunction(L, 1); return 0; }
static int sharetable1 (lua_State *L) { lua_sharetable(L, 1); return 0; }
static int clonetable1 (lua_State *L) {
  lua_clonetable(L, lua_touserdata(L, 1));
  return 1;
}
static int clonefunction1 (lua_State *L) {
  lua_clonefunction(L, lua_touserdata(L, 1));
  return 1;
}

/* Makes a value by a text and expects this error of a call with it. */
static void refuses (lua_State *L, lua_CFunction function, const char *value,
                     const char *message) {
  lua_settop(L, 0);
  lua_pushcfunction(L, function);
  run(L, value);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK || lua_tostring(L, -1) == NULL ||
      strcmp(lua_tostring(L, -1), message) != 0) {
    fprintf(stderr, "%s: %s, not %s\n", value, lua_tostring(L, -1), message);
    exit(1);
  }
}


/* Finalisers run within a cycle of the collector. */
static void infinaliser (lua_State *L) {
  lua_register(L, "sharetable", sharetable1);
  lua_register(L, "sharefunction", sharefunction1);
  run(L, "local said = {} "
         "local function finalise() "
         "  said = {select(2, pcall(sharetable, {})), "
         "          select(2, pcall(sharefunction, function() end))} "
         "end "
         "setmetatable({}, {__gc = finalise}) "
         "collectgarbage() "
         "assert(said[1] == 'a finaliser cannot share', said[1]) "
         "assert(said[2] == 'a finaliser cannot share', said[2])");
}


static void errors (void) {
  lua_State *L = newstate();
  infinaliser(L);
  refuses(L, sharestring1, "return 5", "need a string to share");
  refuses(L, sharestring1, "return nil", "need a string to share");
  refuses(L, sharefunction1, "return print", "Only Lua function can share");
  refuses(L, sharefunction1, "return {}", "Only Lua function can share");
  refuses(L, sharetable1, "return 'x'", "Not a table, it's a string.");
  refuses(L, sharetable1, "return {{setmetatable({}, {})}}",
             "Can't share metatable");
  refuses(L, sharetable1, "return {function() return print end}",
             "Invalid function with upvalue");
  refuses(L, sharetable1, "return {string.gmatch('', '')}",
             "Invalid function with upvalue");
  refuses(L, sharetable1, "return {[io.stdout] = 1}", "Invalid type [userdata]");
  refuses(L, sharetable1, "return {a = {b = {coroutine.create(print)}}}",
             "Invalid type [thread]");
  /* What was refused is as it was. */
  lua_settop(L, 0);
  run(L, "t = {a = {1, x = 'y'}, print, b = io.stdout} t.t = t return t");
  lua_pushcfunction(L, sharetable1);
  lua_pushvalue(L, 1);
  check(lua_pcall(L, 1, 0, 0) != LUA_OK);
  check(!lua_issharedtable(L, 1));
  run(L, "t.b = nil t.a.z = {} t.a[2] = 'new' collectgarbage() t.a.z[1] = {}"
         " assert(t.a.z[1] and t.a[2] == 'new')");
  lua_settop(L, 1);
  lua_sharetable(L, 1);
  lua_sharetable(L, 1);
  check(lua_gettop(L) == 1 && lua_issharedtable(L, 1));
  run(L, "assert(t.t == t and t.a.x == 'y' and t[1] == print)");
  /* Pointers to what is not shared. */
  lua_settop(L, 0);
  run(L, "return {}");
  lua_pushcfunction(L, clonetable1);
  lua_pushlightuserdata(L, (void *)lua_topointer(L, 1));
  check(lua_pcall(L, 1, 0, 0) != LUA_OK);
  check(strcmp(lua_tostring(L, -1), "Not a shared table") == 0);
  lua_settop(L, 0);
  run(L, "return function() end");
  lua_pushcfunction(L, clonefunction1);
  lua_pushlightuserdata(L, (void *)lua_topointer(L, 1));
  check(lua_pcall(L, 1, 0, 0) != LUA_OK);
  check(strcmp(lua_tostring(L, -1), "Not a shared function") == 0);
  lua_close(L);
}


/* A shared table in the state that made it and in another one. */
static const char tablechecks[] =
  "local t, made = ...\n"
  "local function fails(message, ...)\n"
  "  local done, text = pcall(...)\n"
  "  assert(not done and text:find(message, 1, true), text)\n"
  "end\n"
  "local change = 'attempt to change a shared table'\n"
  "fails(change, function() t.name = 1 end)\n"
  "fails(change, function() t.fresh = 1 end)\n"
  "fails(change, function() t.fresh = nil end)\n"
  "fails(change, function() t[1] = 1 end)\n"
  "fails(change, function() t[100] = 1 end)\n"
  "fails(change, function() local k = 2.5 t[k] = 1 end)\n"
  "fails(change, function() local k = {} t.inner[k] = 1 end)\n"
  "fails(change, function() t.inner.deep.x = 1 end)\n"
  "fails(change, rawset, t, 'name', 1)\n"
  "fails(change, rawset, t, 1, 1)\n"
  "fails(change, table.insert, t, 1)\n"
  "fails(change, table.remove, t)\n"
  "fails(change, table.sort, t.list)\n"
  "fails(\"can't setmetatable to shared table\", setmetatable, t, {})\n"
  "fails(\"can't setmetatable to shared table\", debug.setmetatable, t, nil)\n"
  "fails(change, function() setmetatable({}, {__newindex = t}).x = 1 end)\n"
  "fails(change, function() local _ENV = t; x = 1 end)\n"
  "assert(getmetatable(t) == nil and t.missing == nil and t[50] == nil)\n"
  "assert(t.name == 'value' and t['na' .. 'me'] == 'val' .. 'ue')\n"
  "assert(t[made] == 'by name' and t.own == made and rawequal(t.own, made))\n"
  "assert(({[t.own] = 1})[made] == 1 and ({[made] = 1})[t.own] == 1)\n"
  "assert(#t == 3 and #t.list == 5 and t[2] == 20 and t.list[3] == 3)\n"
  "assert(t.cycle == t and t.inner.deep.up == t.inner)\n"
  "assert(t.call(20, 22) == 42 and t.print == print and t[2.5] == 'float')\n"
  "assert(t.long == ('long'):rep(20) and t[('long'):rep(20)] == 'by long')\n"
  "local n, sum = 0, 0\n"
  "for key, value in pairs(t) do\n"
  "  n = n + 1\n"
  "  assert(rawget(t, key) == value)\n"
  "end\n"
  "assert(n == 15, n)\n"
  "for i, value in ipairs(t.list) do sum = sum + i * value end\n"
  "assert(sum == 55 and table.concat(t.list, '-') == '1-2-3-4-5')\n"
  "assert(select('#', table.unpack(t.list)) == 5 and next({}, nil) == nil)\n"
  "assert(next(t, made) ~= made)\n"
  "local object = setmetatable({}, {__index = t})\n"
  "assert(object.name == 'value' and object[3] == 30)\n"
  "assert(setmetatable({}, t.meta)[1] == nil and #setmetatable({}, t.meta) == 0)\n"
  "local weak = setmetatable({t.inner}, {__mode = 'v'})\n"
  "for _, mode in ipairs {'generational', 'incremental'} do\n"
  "  collectgarbage(mode)\n"
  "  local kept = {t, t.inner, t.own, t.call, t.long}\n"
  "  for i = 1, 200 do kept[i % 10 + 6] = {t.inner, t.list, i .. made} end\n"
  "  collectgarbage()\n"
  "  collectgarbage 'step'\n"
  "  assert(kept[3] == made and kept[4](1, 2) == 3 and weak[1] == t.inner)\n"
  "end\n"
  "return true\n";

static const char tablemaker[] =
  "local made = ...\n"
  "local t = {10, 20, 30, name = 'value', [made] = 'by name', own = made,\n"
  "  inner = {deep = {}}, list = {1, 2, 3, 4, 5}, print = print,\n"
  "  call = function(a, b) return a + b end, [2.5] = 'float',\n"
  "  long = ('long'):rep(20), [('long'):rep(20)] = 'by long',\n"
  "  meta = {other = 1}}\n"
  "t.cycle = t\n"
  "t.inner.deep.up = t.inner\n"
  "t.inner.deep[t.inner] = t\n"
  "return t\n";

/* Pushes a name that no constant of a program has. */
static void pushname (lua_State *L) {
  lua_pushliteral(L, "not a ");
  lua_pushliteral(L, "constant");
  lua_concat(L, 2);
}


static const void *maketable (lua_State *L) {
  lua_settop(L, 0);
  pushname(L);
  runwith(L, tablemaker, 1);
  lua_sharetable(L, -1);
  return lua_topointer(L, -1);
}


static void checktable (lua_State *L, const void *table) {
  lua_settop(L, 0);
  lua_clonetable(L, table);
  check(lua_topointer(L, 1) == table && lua_issharedtable(L, 1));
  pushname(L);
  runwith(L, tablechecks, 2);
}


static void tables (void) {
  lua_State *owner = newstate();
  const void *table = maketable(owner);
  lua_State *reader;
  checktable(owner, table);
  reader = newstate();
  checktable(reader, table);
  lua_close(reader);
  /* The owner goes on collecting, in either mode; what is shared stays. */
  run(owner, "collectgarbage 'generational' for i = 1, 5 do collectgarbage() end"
             " collectgarbage 'incremental' collectgarbage()");
  reader = newstate();
  checktable(reader, table);
  checktable(owner, table);
  lua_close(reader);
  lua_close(owner);
}


/* Tables that were in the hands of the collector when they are shared. */
static void agedtables (void) {
  static const char *const modes[] = {
    "collectgarbage 'generational'", "collectgarbage 'incremental'"};
  int i, cycles;
  for (i = 0; i < 2; i++) {
    for (cycles = 0; cycles < 4; cycles++) {
      lua_State *owner = newstate();
      lua_State *reader = newstate();
      const void *table;
      int n;
      run(owner, modes[i]);
      pushname(owner);
      runwith(owner, tablemaker, 1);
      lua_setglobal(owner, "t");
      for (n = 0; n < cycles; n++)
        run(owner, "collectgarbage 'step' t.inner.fresh = {{}} t.list[6] = nil"
                   " t.inner.fresh[1][1] = t.inner collectgarbage('step')");
      run(owner, "t.inner.fresh = {}");
      lua_getglobal(owner, "t");
      lua_sharetable(owner, -1);
      table = lua_topointer(owner, -1);
      run(owner, "for i = 1, 1000 do local x = {t.inner, i .. ''} end"
                 " collectgarbage 'step' collectgarbage()");
      checktable(reader, table);
      checktable(owner, table);
      run(owner, "for i = 1, 1000 do local x = {t.inner, i .. ''} end"
                 " collectgarbage 'step' collectgarbage()");
      checktable(reader, table);
      lua_close(reader);
      lua_close(owner);
    }
  }
}


/* Gives each block pages of its own, so that a look at a freed one is fatal. */
static void *inpages (void *ud, void *block, size_t old, size_t size) {
  void *result = NULL;
  (void)ud;
  if (size > 0) {
    result = mmap(NULL, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (result == MAP_FAILED)
      return NULL;
  }
  if (block != NULL && old > 0) {
    if (result != NULL)
      memcpy(result, block, (old < size) ? old : size);
    check(munmap(block, old) == 0);
  }
  return result;
}


/* A key whose value is gone, in a table that a module marked itself, without a
   collection: the owner frees the string later. */
static void emptiedkeys (void) {
  lua_State *owner = lua_newstate(inpages, NULL, 1);
  lua_State *reader = newstate();
  Table *table;
  check(owner != NULL);
  luaL_requiref(owner, LUA_GNAME, luaopen_base, 1);
  luaL_requiref(owner, LUA_STRLIBNAME, luaopen_string, 1);
  lua_settop(owner, 0);
  run(owner, "collectgarbage() collectgarbage 'stop'"
             " local t = {[('gone '):rep(3)] = 1}"
             " t[next(t)] = nil"
             " return t");
  table = (Table *)lua_topointer(owner, 1);
  makeshared(table);
  lua_clonetable(reader, table);
  run(owner, "collectgarbage()");
  runwith(reader, "local t = ... assert(t.other == nil and next(t) == nil)", 1);
  lua_close(reader);
  lua_close(owner);
}


/* In generational mode a finaliser that writes to an old table has the next
   young collection look at it, and paint it: not if it is shared by then. */
static void unpainted (void) {
  lua_State *L = newstate();
  const Table *table;
  lu_byte marked;
  run(L, "collectgarbage 'generational'"
         " local t = {} collectgarbage() collectgarbage()"
         " setmetatable({}, {__gc = function() pcall(rawset, t, 1, {}) end})"
         " return t");
  lua_sharetable(L, -1);
  table = (const Table *)lua_topointer(L, -1);
  marked = table->marked;
  run(L, "for i = 1, 1000 do local x = {i .. ''} end collectgarbage 'step'");
  check(table->marked == marked);
  lua_close(L);
}


/* Texts that must not have the same hash: a second difference does not undo the
   first, whether it is in another word or between the length and a byte. */
static void hashes (void) {
  static const char *const pairs[][2] = {
    {"abcdefghijklmnop", "abcdefg\xe8ijklmno\xf0"},  /* half a product */
    {"abcdefghijklmnop", "abcdefg\xe8ijk\xecmno\xf0"},  /* half, folded */
    {"abcdefghijklmnop", "abcdefgHijk\x0cmno\x10"},
    {"1010.5", "10100.5"},
    {"", "\1"}, {"a", "aa"}, {"aaa", "aa"}
  };
  size_t i;
  for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    const char *a = pairs[i][0], *b = pairs[i][1];
    unsigned seed, same = 0;
    for (seed = 1; seed <= 1000; seed++)
      same += (luaS_hashbytes(a, strlen(a), seed * 2654435761u) ==
               luaS_hashbytes(b, strlen(b), seed * 2654435761u));
    check(same == 0);
  }
}


/* Functions and strings of a state that stays open. */
static void functions (void) {
  lua_State *owner = newstate();
  lua_State *reader = newstate();
  const void *function;
  pushname(reader);  /* before the owner's is shared */
  run(owner, "collectgarbage 'generational' return load('local a, b = ... "
             "local t = {} t[\"not a constant\"] = a return t, function() "
             "x = (x or 0) + 1 return x, \"not a constant\" end')");
  lua_sharefunction(owner, -1);
  function = lua_topointer(owner, -1);
  run(owner, "collectgarbage() collectgarbage()");
  lua_clonefunction(reader, function);
  check(lua_gettop(reader) == 2 && lua_topointer(reader, 2) != function);
  lua_pushinteger(reader, 7);
  check(lua_pcall(reader, 1, 2, 0) == LUA_OK);
  check(lua_topointer(reader, 1) != NULL);
  runwith(reader, "local name, t, f = ... "
                  "assert(t[name] == 7 and next(t) == name and t[next(t)] == 7) "
                  "t[name] = 8 local n = 0 for k in pairs(t) do n = n + 1 end "
                  "assert(n == 1 and f() == 1 and f() == 2 and x == 2) "
                  "assert(select(2, f()) == name and ({[name] = 9})"
                  "[select(2, f())] == 9) "
                  "collectgarbage() assert(t[name] == 8)", 3);
  run(owner, "assert(x == nil)");
  pushname(owner);
  lua_sharestring(owner, -1);
  lua_pushstring(owner, "a long string, longer than forty characters are, surely");
  lua_sharestring(owner, -1);
  run(owner, "collectgarbage()");
  lua_close(reader);
  lua_close(owner);
}


static void writefile (const char *name, const char *text) {
  FILE *file = fopen(name, "w");
  check(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}


static lua_Integer loaded (lua_State *L, const char *name) {
  lua_Integer result;
  check(luaL_loadfilex(L, name, NULL) == LUA_OK);
  lua_call(L, 0, 1);
  result = lua_tointeger(L, -1);
  lua_pop(L, 1);
  return result;
}


static void cache (const char *directory) {
  lua_State *L = newstate();
  lua_State *other = newstate();
  char name[4096];
  snprintf(name, sizeof(name), "%s/cached.lua", directory);
  luaL_requiref(L, "skynet.codecache", luaopen_cache, 1);
  lua_settop(L, 0);
  luaL_requiref(other, "skynet.codecache", luaopen_cache, 0);
  lua_setglobal(other, "cache");
  /* Neither a missing file nor a broken one is kept. */
  check(luaL_loadfilex(L, name, NULL) == LUA_ERRFILE);
  writefile(name, "return =");
  check(luaL_loadfilex(L, name, NULL) == LUA_ERRSYNTAX);
  check(strstr(lua_tostring(L, -1), "cached.lua:1: unexpected symbol") != NULL);
  writefile(name, "x = (x or 0) + 1 return 1");
  lua_settop(L, 0);
  check(loaded(L, name) == 1);
  writefile(name, "return 2");
  check(loaded(L, name) == 1 && loaded(other, name) == 1);
  run(L, "assert(x == 2)");
  run(other, "assert(x == 1 and cache.mode() == 'ON')");
  check(luaL_loadfilex_(L, name, NULL) == LUA_OK);
  check(luaL_loadfilex(L, name, "b") == LUA_ERRSYNTAX);
  run(other, "cache.mode 'OFF' assert(cache.mode() == 'OFF')");
  check(loaded(other, name) == 2 && loaded(L, name) == 1);
  run(other, "cache.mode 'EXIST'");
  check(loaded(other, name) == 1);
  run(L, "require 'skynet.codecache'.clear()");
  check(loaded(other, name) == 2);
  writefile(name, "return 3");
  check(loaded(other, name) == 3);  /* EXIST has kept nothing */
  run(other, "cache.mode 'ON' assert(not pcall(cache.mode, 'NEVER'))");
  check(loaded(L, name) == 3);
  writefile(name, "return 4");
  check(loaded(other, name) == 3);
  check(luaL_loadcached(L, "key", "return 5", 8, "=text", NULL) == LUA_OK);
  check(luaL_loadcached(L, "key", "return 6", 8, "=text", "bt") == LUA_OK);
  lua_call(L, 0, 1);
  check(lua_tointeger(L, -1) == 5);
  check(luaL_loadcached(L, "key", "return 7", 8, "=text", "t") == LUA_OK);
  lua_call(L, 0, 1);
  check(lua_tointeger(L, -1) == 7);
  check(luaL_loadcached(L, "bad", "return", 6, "=text", "x") == LUA_ERRSYNTAX);
  remove(name);
  check(loaded(L, name) == 3);
  lua_close(L);
  lua_close(other);
}


/* Whether a state that makes a string finds a common one. */
static int iscommon (lua_State *L, const char *text) {
  lua_settop(L, 0);
  lua_pushstring(L, text);
  return isshared((const TString *)lua_topointer(L, -1));
}


/* Names of Lua and texts of cached code are made once, however many there are. */
static void commons (void) {
  enum { TEXTS = 5000, ROOM = 20 };
  static char text[TEXTS * ROOM];
  lua_State *L = newstate();
  lua_State *other = newstate();
  size_t length = (size_t)snprintf(text, sizeof(text), "return {");
  int i;
  for (i = 0; i < TEXTS; i++)
    length += (size_t)snprintf(text + length, sizeof(text) - length,
                               "'common %d',", i);
  text[length++] = '}';
  check(luaL_loadcached(L, "commons", text, length, "=text", NULL) == LUA_OK);
  for (i = 0; i < TEXTS; i++) {
    snprintf(text, ROOM, "common %d", i);
    check(iscommon(other, text));
    snprintf(text, ROOM, "own %d", i);
    check(!iscommon(other, text));
  }
  lua_close(L);
  lua_close(other);
  other = newstate();  /* the names are common since the first load */
  check(iscommon(other, "tostring") && iscommon(other, "while"));
  lua_close(other);
}


/* A state whose memory is short gets an error, and nobody waits for ever. */
static void *miserly (void *ud, void *block, size_t old, size_t size) {
  size_t *left = (size_t *)ud;
  void *result;
  size_t had = (block == NULL) ? 0 : old;
  if (size > had && size - had > *left)
    return NULL;
  if (size == 0) {
    free(block);
    *left += had;
    return NULL;
  }
  result = realloc(block, size);
  if (result != NULL)
    *left = *left + had - size;
  return result;
}


static int loadfile1 (lua_State *L) {
  luaL_checkstack(L, 5, NULL);
  if (luaL_loadfilex(L, (const char *)lua_touserdata(L, 1), NULL) != LUA_OK)
    return lua_error(L);
  return 1;
}


static void shortage (const char *directory) {
  char name[4096];
  size_t spare;
  snprintf(name, sizeof(name), "%s/shortage.lua", directory);
  for (spare = 0; spare < 600; spare += 8) {
    size_t left = 1 << 20;
    lua_State *L = lua_newstate(miserly, &left, 1);
    lua_State *other = newstate();
    check(L != NULL);
    luaL_requiref(other, "skynet.codecache", luaopen_cache, 0);
    lua_getfield(other, -1, "clear");
    lua_call(other, 0, 0);
    writefile(name, (spare & 8) ? "return 1" : "a syntax error");
    lua_gc(L, LUA_GCSTOP);
    left = spare;
    lua_pushcfunction(L, loadfile1);
    lua_pushlightuserdata(L, name);
    lua_pcall(L, 1, 1, 0);
    left = 1 << 20;
    check(luaL_loadfilex(other, name, NULL) ==
             ((spare & 8) ? LUA_OK : LUA_ERRSYNTAX));
    lua_close(other);
    lua_close(L);
  }
  remove(name);
}


static void api (const char *directory) {
  errors();
  tables();
  agedtables();
  emptiedkeys();
  unpainted();
  hashes();
  commons();
  functions();
  cache(directory);
  shortage(directory);
}

/* }====================================================== */


/*
** {======================================================
** Many at once
** =======================================================
*/

static char **files;
static int filecount;
static pthread_barrier_t barrier;

/* Files that are compiled while others use them, in all modes of collection. */
static void loader (int number) {
  int round, i;
  for (round = 0; round < ROUNDS; round++) {
    lua_State *L = newstate();
    luaL_requiref(L, "skynet.codecache", luaopen_cache, 1);
    lua_settop(L, 0);
    if (number % 3 == 1)
      run(L, "collectgarbage 'generational'");
    if (number % 3 == 2)
      run(L, "collectgarbage('param', 'pause', 0)"
             " collectgarbage('param', 'stepsize', 100)");
    pthread_barrier_wait(&barrier);
    for (i = 0; i < filecount; i++) {
      /* Half of the threads go through the files backwards. */
      char *file = files[(number % 2 == 0) ? i : filecount - 1 - i];
      if (luaL_loadfilex(L, file, NULL) != LUA_OK ||
          lua_pcall(L, 0, 0, 0) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
        exit(1);
      }
    }
    if (number == 0)
      run(L, "require 'skynet.codecache'.clear()");
    lua_close(L);
  }
}


/* Constants that several files have, made common by several threads. */
static void compiler (int number) {
  char text[4096], key[32];
  int i, j;
  lua_State *L = newstate();
  pthread_barrier_wait(&barrier);
  for (i = 0; i < 60; i++) {
    size_t size = (size_t)snprintf(text, sizeof(text), "local t = {}\n");
    for (j = i; j < i + 40; j++)
      size += (size_t)snprintf(text + size, sizeof(text) - size,
                 "t.word%d = 'word' .. %d\n", j, j);
    size += (size_t)snprintf(text + size, sizeof(text) - size,
               "for k, v in pairs(t) do assert(k == v and t[v] == k) end\n");
    snprintf(key, sizeof(key), "compiled %d", (number % 2 == 0) ? i : i * 7 % 60);
    if (luaL_loadcached(L, key, text, size, key, NULL) != LUA_OK ||
        lua_pcall(L, 0, 0, 0) != LUA_OK) {
      fprintf(stderr, "%s\n", lua_tostring(L, -1));
      exit(1);
    }
  }
  lua_close(L);
}


static const void *sharedtable;

static void reader (int number) {
  int i;
  for (i = 0; i < ROUNDS * 3; i++) {
    lua_State *L = newstate();
    if ((number + i) % 2 == 0)
      pushname(L);  /* a string of its own before it sees the table */
    checktable(L, sharedtable);
    lua_close(L);
  }
}


static void mark (lua_State *L, int index);

/* Marks one key or value. */
static void markitem (lua_State *L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TTABLE:
      mark(L, index);
      break;
    case LUA_TSTRING:
      lua_sharestring(L, index);
      break;
    case LUA_TFUNCTION:
      if (!lua_iscfunction(L, index)) {
        LClosure *function = (LClosure *)lua_topointer(L, index);
        lua_sharefunction(L, index);
        makeshared(function);
      }
      break;
  }
}


/* Marks a table as modules do that were compiled for the reference's Lua. */
static void mark (lua_State *L, int index) {
  int table = lua_absindex(L, index);
  Table *marked = (Table *)lua_topointer(L, table);
  if (!isshared(marked)) {
    makeshared(marked);
    check(lua_checkstack(L, 10));
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
      markitem(L, -2);
      markitem(L, -1);
    }
  }
}


static void race (void) {
  lua_State *owner;
  int i;
  check(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
  inthreads(loader);
  inthreads(compiler);
  for (i = 0; i < 4; i++) {
    owner = newstate();
    if (i % 2 == 0)
      sharedtable = maketable(owner);
    else {
      pushname(owner);
      runwith(owner, tablemaker, 1);
      lua_gc(owner, LUA_GCCOLLECT);
      lua_gc(owner, LUA_GCSTOP);
      mark(owner, -1);
      sharedtable = lua_topointer(owner, -1);
    }
    inthreads(reader);
    lua_close(owner);
  }
}

/* }====================================================== */


int main (int argc, char **argv) {
  check(argc >= 3);
  if (strcmp(argv[1], "api") == 0)
    api(argv[2]);
  else {
    files = argv + 2;
    filecount = argc - 2;
    race();
  }
  return 0;
}

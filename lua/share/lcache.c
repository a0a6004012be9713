/*
** The code cache: each file is compiled once in a process, and every state
** that loads it gets a function with the same prototype.
*/

#define lcache_c
#define LUA_LIB

#include "lprefix.h"

#include <string.h>
#include <stdlib.h>
#include <pthread.h>

#include "lua.h"
#include "lualib.h"
#include "lauxlib.h"

#include "lobject.h"
#include "lshare.h"


/*
** A file. It has no function while the state that was first to ask for it is
** compiling it; others wait.
*/
typedef struct File {
  struct File *next;
  LClosure *function;
  char name[1];
} File;

#define BUCKETS		1024u

static File *files[BUCKETS];
static pthread_mutex_t fileslock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filedone = PTHREAD_COND_INITIALIZER;


static File **bucket (const char *name) {
  unsigned hash = 2166136261u;  /* FNV-1a */
  for (; *name != '\0'; name++)
    hash = (hash ^ (unsigned char)*name) * 16777619u;
  return &files[hash % BUCKETS];
}


static File *find (const char *name) {
  File *file = *bucket(name);
  while (file != NULL && strcmp(file->name, name) != 0)
    file = file->next;
  return file;
}


/*
** A file without a function, in its place; NULL if there is no memory for it.
*/
static File *announce (const char *name) {
  size_t length = strlen(name);
  File *file = (File *)malloc(sizeof(File) + length);
  if (file != NULL) {
    File **place = bucket(name);
    memcpy(file->name, name, length + 1);
    file->function = NULL;
    file->next = *place;
    *place = file;
  }
  return file;
}


static void forget (File *file) {
  File **place = bucket(file->name);
  while (*place != file)
    place = &(*place)->next;
  *place = file->next;
  free(file);
}


/*
** {======================================================
** Modes
** =======================================================
*/

enum Mode { MODEOFF, MODEEXIST, MODEON };

static const char *const modenames[] = {"OFF", "EXIST", "ON", NULL};

/* Its address is the key of a state's mode in the registry. */
static const char modekey = 0;


static enum Mode getmode (lua_State *L) {
  enum Mode mode = MODEON;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &modekey) == LUA_TNUMBER)
    mode = (enum Mode)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return mode;
}

/* }====================================================== */


/*
** {======================================================
** Loading
** =======================================================
*/

/*
** What is to be compiled: a file on disk, or a text in memory.
*/
typedef struct Job {
  const char *key;
  const char *text;  /* NULL: read the file */
  size_t size;
  const char *chunkname;
  const char *mode;
  int status;
} Job;


static int compile (lua_State *L, const Job *job) {
  if (job->text == NULL)
    return luaL_loadfilex_(L, job->key, job->mode);
  return luaL_loadbufferx(L, job->text, job->size, job->chunkname, job->mode);
}


static int compilejob (lua_State *L) {
  Job *job = (Job *)lua_touserdata(L, 1);
  job->status = compile(L, job);
  return 1;  /* the function or the message */
}


/*
** Compiles in a state of its own, which is left with the function or the
** message on its stack.
*/
static int compileapart (lua_State *own, Job *job) {
  int status;
  lua_gc(own, LUA_GCSTOP);
  lua_pushcfunction(own, compilejob);
  lua_pushlightuserdata(own, job);
  status = lua_pcall(own, 1, 1, 0);
  return (status != LUA_OK) ? status : job->status;
}


static int copymessage (lua_State *L) {
  lua_State *own = (lua_State *)lua_touserdata(L, 1);
  size_t length;
  const char *message = lua_tolstring(own, -1, &length);
  if (message == NULL)
    lua_pushliteral(L, "(error object is not a string)");
  else
    lua_pushlstring(L, message, length);
  return 1;
}


/*
** Compiles the file for this state and all others.
*/
static int compileshared (lua_State *L, File *file, Job *job) {
  LClosure *function = NULL;
  int status = LUA_ERRMEM;
  lua_State *own = lua_newstate(luaL_alloc, NULL, luaL_makeseed(L));
  if (own != NULL) {
    status = compileapart(own, job);
    if (status == LUA_OK) {
      function = (LClosure *)lua_topointer(own, -1);
      luaE_bequeath(own, function);
    }
  }
  pthread_mutex_lock(&fileslock);
  if (function != NULL)
    file->function = function;
  else
    forget(file);
  pthread_cond_broadcast(&filedone);
  pthread_mutex_unlock(&fileslock);
  if (own == NULL)
    lua_pushliteral(L, "not enough memory");
  else {
    if (function == NULL) {
      /* Protected, so that the state is closed whatever happens. */
      lua_pushcfunction(L, copymessage);
      lua_pushlightuserdata(L, own);
      if (lua_pcall(L, 1, 1, 0) != LUA_OK)
        status = LUA_ERRMEM;
    }
    lua_close(own);
  }
  if (function != NULL)
    lua_clonefunction(L, function);
  return status;
}


/*
** Whether a mode takes whatever is kept: a text or a binary chunk, which does
** not lie in the caller's buffer ('B').
*/
static int takesall (const char *mode) {
  return mode == NULL || (strchr(mode, 't') != NULL &&
                          strchr(mode, 'b') != NULL &&
                          strchr(mode, 'B') == NULL);
}


static int load (lua_State *L, Job *job) {
  enum Mode mode = getmode(L);
  File *file;
  LClosure *function;
  if (mode == MODEOFF || !takesall(job->mode))
    return compile(L, job);
  luaL_initcodecache();
  pthread_mutex_lock(&fileslock);
  while ((file = find(job->key)) != NULL && file->function == NULL &&
         mode == MODEON)
    pthread_cond_wait(&filedone, &fileslock);
  function = (file == NULL) ? NULL : file->function;
  if (file == NULL && mode == MODEON)
    file = announce(job->key);
  pthread_mutex_unlock(&fileslock);
  if (function != NULL) {
    lua_clonefunction(L, function);
    return LUA_OK;
  }
  if (file == NULL || mode != MODEON)
    return compile(L, job);
  return compileshared(L, file, job);
}


LUALIB_API int luaL_loadfilex (lua_State *L, const char *filename,
                                             const char *mode) {
  Job job = {filename, NULL, 0, NULL, mode, LUA_OK};
  if (filename == NULL)  /* standard input */
    return luaL_loadfilex_(L, filename, mode);
  return load(L, &job);
}


LUALIB_API int luaL_loadcached (lua_State *L, const char *key,
                                const char *text, size_t size,
                                const char *chunkname, const char *mode) {
  Job job = {key, text, size, chunkname, mode, LUA_OK};
  return load(L, &job);
}

/* }====================================================== */


/*
** {======================================================
** Start, and the module
** =======================================================
*/

static int makenames (lua_State *L) {
  luaL_openlibs(L);
  /* The first chunk settles which words the parser reserves. */
  return (luaL_loadstring(L, "") == LUA_OK) ? 0 : lua_error(L);
}


/*
** Makes the names of Lua and its libraries common strings, of which states
** made later need none of their own.
*/
static void sharenames (void) {
  lua_State *L = luaL_newstate();
  if (L == NULL)
    return;  /* a saving, not a need */
  lua_gc(L, LUA_GCSTOP);
  lua_pushcfunction(L, makenames);
  if (lua_pcall(L, 0, 0, 0) == LUA_OK)
    luaE_bequeathstrings(L);
  lua_close(L);
}


LUALIB_API void luaL_initcodecache (void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, sharenames);
}


/*
** Files that are being compiled stay: those who wait for them look again. What
** was compiled stays too, out of reach, for the states that use it.
*/
static int cacheclear (lua_State *L) {
  static File *cleared = NULL;
  unsigned i;
  (void)L;
  pthread_mutex_lock(&fileslock);
  for (i = 0; i < BUCKETS; i++) {
    File **place = &files[i];
    while (*place != NULL) {
      File *file = *place;
      if (file->function == NULL)
        place = &file->next;
      else {
        *place = file->next;
        file->next = cleared;
        cleared = file;
      }
    }
  }
  pthread_mutex_unlock(&fileslock);
  return 0;
}


static int cachemode (lua_State *L) {
  if (lua_isnoneornil(L, 1)) {
    lua_pushstring(L, modenames[getmode(L)]);
    return 1;
  }
  lua_pushinteger(L, luaL_checkoption(L, 1, NULL, modenames));
  lua_rawsetp(L, LUA_REGISTRYINDEX, &modekey);
  return 0;
}


LUAMOD_API int luaopen_cache (lua_State *L) {
  lua_createtable(L, 0, 3);
  lua_getglobal(L, "loadfile");
  lua_setfield(L, -2, "loadfile");
  lua_pushcfunction(L, cacheclear);
  lua_setfield(L, -2, "clear");
  lua_pushcfunction(L, cachemode);
  lua_setfield(L, -2, "mode");
  return 1;
}

/* }====================================================== */

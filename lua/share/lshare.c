/*
** Objects that several Lua states use at once: the process's table of common
** strings, functions and tables that states hand to each other.
*/

#define lshare_c
#define LUA_CORE

#include "lprefix.h"

#include <string.h>
#include <stdlib.h>
#include <pthread.h>

#include "lua.h"

#include "lshare.h"
#include "lstate.h"
#include "lfunc.h"
#include "ltable.h"
#include "lstring.h"
#include "ldebug.h"
#include "lobject.h"
#include "lapi.h"
#include "lgc.h"
#include "ldo.h"


/*
** {======================================================
** The seed
** =======================================================
*/

/*
** Strings of different states are looked up in each other's tables, so all
** states hash alike: with the seed of the process's first state.
*/
unsigned luaS_commonseed (unsigned seed) {
  static unsigned common = 0;
  unsigned expected = 0;
  if (seed == 0)
    seed = 1;  /* zero says that there is none yet */
  if (__atomic_compare_exchange_n(&common, &expected, seed, 0,
                                  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    return seed;
  return expected;
}

/* }====================================================== */


/*
** {======================================================
** Common strings
** =======================================================
*/

#define FIRSTSIZE	2048u

/* The lock guards its replacement and additions. */
Commons *luaS_commons = NULL;
static pthread_mutex_t commonslock = PTHREAD_MUTEX_INITIALIZER;


int luaS_eqtext (const TString *a, const TString *b) {
  return a->shrlen == b->shrlen &&
         memcmp(getshrstr(a), getshrstr(b), cast_sizet(a->shrlen)) == 0;
}


static inline TString *findin (const Commons *table, const char *text,
                               size_t length, unsigned hash) {
  const Slot *slots = table->slots;
  unsigned mask = table->mask;
  unsigned at = hash & mask;
  TString *string;
  while ((string = __atomic_load_n(&slots[at].string, __ATOMIC_ACQUIRE))
         != NULL) {
    if (slots[at].hash == hash && cast_sizet(string->shrlen) == length &&
        memcmp(getshrstr(string), text, length) == 0)
      break;
    at = (at + 1) & mask;
  }
  return string;
}


/*
** The common string with this text, if there is one.
*/
TString *luaS_findcommon (const char *text, size_t length, unsigned hash) {
  const Commons *table = __atomic_load_n(&luaS_commons, __ATOMIC_ACQUIRE);
  return (table == NULL) ? NULL : findin(table, text, length, hash);
}


static void addto (Commons *table, TString *string) {
  unsigned at = string->hash;
  unsigned bit = luaS_filterbit(table, at);
  while (table->slots[at & table->mask].string != NULL)
    at++;
  table->slots[at & table->mask].hash = string->hash;
  __atomic_store_n(&table->slots[at & table->mask].string, string,
                   __ATOMIC_RELEASE);
  /* Last, and relaxed: a reader that misses it makes a string of its own, one
     that sees it too soon finds a free slot. */
  __atomic_fetch_or(&table->filter[bit / 32], 1u << (bit % 32),
                    __ATOMIC_RELAXED);
  table->used++;
}


/*
** Makes room for one more string, so that at least half of the slots are
** free. The old table stays for readers that are in it; as sizes double, all
** old ones together are no larger than the new one.
*/
static Commons *makeroom (void) {
  Commons *old = luaS_commons;
  if (old == NULL || old->used > old->mask / 2) {
    unsigned size = (old == NULL) ? FIRSTSIZE : (old->mask + 1) * 2;
    Commons *table = (Commons *)calloc(1, sizeof(Commons) +
                                          (size - 1) * sizeof(Slot) +
                                          size * FILTERBITS / 8);
    if (table == NULL)
      return NULL;
    table->filter = (unsigned *)&table->slots[size];
    table->smaller = old;
    table->mask = size - 1;
    if (old != NULL) {
      unsigned i;
      for (i = 0; i <= old->mask; i++) {
        if (old->slots[i].string != NULL)
          addto(table, old->slots[i].string);
      }
    }
    __atomic_store_n(&luaS_commons, table, __ATOMIC_RELEASE);
  }
  return luaS_commons;
}


/*
** The common string with the text of this short string, which becomes the one
** if there is none. Without memory for the table it is sealed all the same:
** equality compares texts where it must.
*/
static TString *tocommon (TString *string) {
  Commons *table;
  TString *found = NULL;
  if (isshared(string))
    return string;
  pthread_mutex_lock(&commonslock);
  table = makeroom();
  if (table != NULL)
    found = findin(table, getshrstr(string), cast_sizet(string->shrlen),
                   string->hash);
  if (found == NULL) {
    seal(string);
    if (table != NULL)
      addto(table, string);
    found = string;
  }
  pthread_mutex_unlock(&commonslock);
  return found;
}

/* }====================================================== */


/*
** {======================================================
** Sharing in place
** =======================================================
*/

/*
** A string that stays its state's own. Whatever is computed on demand has to
** be there before others see it.
*/
static TString *sharestring (TString *string) {
  if (!isshared(string)) {
    if (!strisshr(string))
      luaS_hashlongstr(string);
    seal(string);
  }
  return string;
}


/*
** A string that outlives its state.
*/
static TString *bequeathstring (TString *string) {
  return strisshr(string) ? tocommon(string) : sharestring(string);
}


typedef TString *(*Sharing) (TString *string);

static void sharename (TString **name, Sharing sharing) {
  if (*name != NULL)
    *name = sharing(*name);
}


/*
** Seals a prototype, its inner ones and their strings, which `sharing` may
** replace by others of the same text.
*/
static void shareproto (Proto *p, Sharing sharing) {
  int i;
  if (isshared(p))
    return;
  seal(p);
  sharename(&p->source, sharing);
  for (i = 0; i < p->sizek; i++) {
    TValue *k = &p->k[i];
    if (ttisstring(k))
      val_(k).gc = obj2gco(sharing(tsvalue(k)));
  }
  for (i = 0; i < p->sizeupvalues; i++)
    sharename(&p->upvalues[i].name, sharing);
  for (i = 0; i < p->sizelocvars; i++)
    sharename(&p->locvars[i].varname, sharing);
  for (i = 0; i < p->sizep; i++)
    shareproto(p->p[i], sharing);
}


/*
** Between cycles no object is in one of the collector's lists of work, which
** paint what they hold. Objects are sealed there only. No finaliser runs here:
** in generational mode a table that it writes to would be in a list again.
*/
static void collect (lua_State *L) {
  if (l_unlikely(G(L)->gcstp & (GCSTPGC | GCSTPCLS)))
    luaG_runerror(L, "a finaliser cannot share");
  luaC_fullgc(L, 1);
}


static void endcycle (lua_State *L) {
  if (G(L)->gcstate != GCSpause)
    collect(L);
}


/*
** The collectable object at an index.
*/
static GCObject *objectat (lua_State *L, int index) {
  return (GCObject *)lua_topointer(L, index);
}


LUA_API void lua_sharestring (lua_State *L, int index) {
  if (l_unlikely(lua_type(L, index) != LUA_TSTRING))
    luaG_runerror(L, "need a string to share");
  sharestring(gco2ts(objectat(L, index)));
}


LUA_API void lua_sharefunction (lua_State *L, int index) {
  if (l_unlikely(!lua_isfunction(L, index) || lua_iscfunction(L, index)))
    luaG_runerror(L, "Only Lua function can share");
  endcycle(L);
  shareproto(gco2lcl(objectat(L, index))->p, sharestring);
}


LUA_API void lua_clonefunction (lua_State *L, const void *function) {
  const LClosure *original = cast(const LClosure *, function);
  LClosure *clone;
  lua_lock(L);
  if (l_unlikely(!isshared(original->p)))
    luaG_runerror(L, "Not a shared function");
  clone = luaF_newLclosure(L, original->nupvalues);
  clone->p = original->p;
  setclLvalue2s(L, L->top.p, clone);
  api_incr_top(L);
  luaF_initupvals(L, clone);
  if (clone->nupvalues > 0) {  /* the first one is the environment */
    TValue globals;
    luaH_getint(hvalue(&G(L)->l_registry), LUA_RIDX_GLOBALS, &globals);
    setobj(L, clone->upvals[0]->v.p, &globals);
    luaC_barrier(L, clone->upvals[0], &globals);
  }
  luaC_checkGC(L);
  lua_unlock(L);
}

/* }====================================================== */


/*
** {======================================================
** Tables
** =======================================================
*/

/*
** Tables that are being sealed, each with the mark it had, in the order they
** were found. Those before `next` have been looked through.
*/
typedef struct Found {
  Table *table;
  lu_byte marked;
} Found;

typedef struct Sealing {
  Found *found;
  size_t count, size, next;
  int marked;  /* true if only tables that are marked already may be sealed */
} Sealing;

static const char outofmemory[] = "not enough memory to share a table";


static const char *addtable (Sealing *s, Table *t) {
  if (issealed(t))
    return NULL;
  if (t->metatable != NULL)
    return "Can't share metatable";
  if (s->marked && !isshared(t))
    return "Not a shared table";
  if (s->count == s->size) {
    size_t size = (s->size == 0) ? 16 : s->size * 2;
    Found *found = (Found *)realloc(s->found, size * sizeof(Found));
    if (found == NULL)
      return outofmemory;
    s->found = found;
    s->size = size;
  }
  s->found[s->count].table = t;
  s->found[s->count].marked = t->marked;
  s->count++;
  seal(t);
  return NULL;
}


/*
** Shares a key or a value of a table; returns what is wrong with it.
*/
static const char *shareitem (Sealing *s, int tag, GCObject *o) {
  switch (tag) {
    case LUA_VTABLE:
      return addtable(s, gco2t(o));
    case LUA_VSHRSTR: case LUA_VLNGSTR:
      sharestring(gco2ts(o));
      return NULL;
    case LUA_VLCL: {
      LClosure *function = gco2lcl(o);
      if (function->nupvalues > 0)
        return "Invalid function with upvalue";
      shareproto(function->p, sharestring);
      seal(function);
      return NULL;
    }
    case LUA_VCCL:
      return "Invalid function with upvalue";
    case LUA_VUSERDATA:
      return "Invalid type [userdata]";
    default:
      return "Invalid type [thread]";
  }
}


static const char *shareitems (Sealing *s, Table *t) {
  const char *wrong = NULL;
  unsigned i;
  for (i = 0; wrong == NULL && i < t->asize; i++) {
    int tag = *getArrTag(t, i);
    if (tag & BIT_ISCOLLECTABLE)
      wrong = shareitem(s, withvariant(tag), getArrVal(t, i)->gc);
  }
  for (i = 0; wrong == NULL && i < sizenode(t); i++) {
    Node *n = gnode(t, i);
    if (isempty(gval(n))) {
      /* No collector looks at a sealed table, to do this when the key goes. */
      if (keyiscollectable(n))
        setdeadkey(n);
      continue;
    }
    if (keyiscollectable(n))
      wrong = shareitem(s, withvariant(keytt(n)), gckey(n));
    if (wrong == NULL && iscollectable(gval(n)))
      wrong = shareitem(s, ttypetag(gval(n)), gcvalue(gval(n)));
  }
  return wrong;
}


/*
** Seals a table and all that it leads to; raises an error and leaves the
** tables as they were if something in there cannot be shared.
*/
static void sealtables (lua_State *L, Table *root, int marked) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  Sealing s = {NULL, 0, 0, 0, marked};
  const char *wrong;
  pthread_mutex_lock(&lock);
  wrong = addtable(&s, root);
  while (wrong == NULL && s.next < s.count)
    wrong = shareitems(&s, s.found[s.next++].table);
  if (wrong != NULL) {
    while (s.count > 0) {
      s.count--;
      s.found[s.count].table->marked = s.found[s.count].marked;
    }
  }
  pthread_mutex_unlock(&lock);
  free(s.found);
  if (l_unlikely(wrong != NULL))
    luaG_runerror(L, "%s", wrong);
}


LUA_API void lua_sharetable (lua_State *L, int index) {
  if (l_unlikely(!lua_istable(L, index)))
    luaG_runerror(L, "Not a table, it's a %s.", lua_typename(L, lua_type(L, index)));
  /* In generational mode a table that was written to is always in a list. */
  if (issealed(gco2t(objectat(L, index))))
    return;
  collect(L);
  sealtables(L, gco2t(objectat(L, index)), 0);
}


LUA_API int lua_issharedtable (lua_State *L, int index) {
  return lua_istable(L, index) && isshared(gco2t(objectat(L, index)));
}


LUA_API void lua_clonetable (lua_State *L, const void *table) {
  Table *t = cast(Table *, cast_voidp(table));
  lua_lock(L);
  /* Modules that mark tables themselves leave the rest to this function. */
  sealtables(L, t, 1);
  sethvalue2s(L, L->top.p, t);  /* itself, not a copy */
  api_incr_top(L);
  lua_unlock(L);
}

/* }====================================================== */


/*
** {======================================================
** What outlives its state
** =======================================================
*/

/*
** How much memory its state counts for an object that is let go.
*/
static l_mem sizeofshared (GCObject *o) {
  switch (o->tt) {
    case LUA_VSHRSTR:
      return cast(l_mem, sizestrshr(cast_uint(gco2ts(o)->shrlen)));
    case LUA_VLNGSTR:
      return cast(l_mem, luaS_sizelngstr(gco2ts(o)->u.lnglen,
                                         gco2ts(o)->shrlen));
    case LUA_VPROTO:
      return cast(l_mem, luaF_protosize(gco2p(o)));
    default:
      lua_assert(o->tt == LUA_VLCL);
      return cast(l_mem, sizeLclosure(gco2lcl(o)->nupvalues));
  }
}


/*
** Takes sealed objects out of a list of the collector's, so that they are
** nobody's and stay for good.
*/
static void letgo (lua_State *L, GCObject **list) {
  GCObject *o;
  while ((o = *list) != NULL) {
    if (!issealed(o))
      list = &o->next;
    else {
      *list = o->next;
      G(L)->GCtotalbytes -= sizeofshared(o);
      if (o->tt == LUA_VSHRSTR)
        luaS_remove(L, gco2ts(o));
    }
  }
}


/*
** Shares a function and lets it outlive its state, which must not have run
** anything, not collect, and is to be closed next.
*/
void luaE_bequeath (lua_State *L, LClosure *function) {
  int i;
  shareproto(function->p, bequeathstring);
  for (i = 0; i < function->nupvalues; i++)
    function->upvals[i] = NULL;  /* they go with the state */
  seal(function);
  letgo(L, &G(L)->allgc);
}


/*
** The same for all short strings of a state.
*/
void luaE_bequeathstrings (lua_State *L) {
  global_State *g = G(L);
  int i;
  for (i = 0; i < g->strt.size; i++) {
    TString *string;
    for (string = g->strt.hash[i]; string != NULL; string = string->u.hnext)
      tocommon(string);
  }
  letgo(L, &g->allgc);
  letgo(L, &g->fixedgc);
}

/* }====================================================== */

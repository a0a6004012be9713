/*
** Objects that several Lua states use at once. docs/lua-patches.md says what
** is shared, who owns it and what the collectors make of it.
*/

#ifndef lshare_h
#define lshare_h

#include "lobject.h"
#include "lgc.h"

/*
** All that a sealed object's mark has: the age of shared objects and the bit
** that keeps writers away, no colour. A collector that meets it sees neither
** white, which it would mark, nor black, which would need barriers.
*/
#define SEALEDMARK	cast_byte(bitmask(SEALEDBIT) | G_SHARED)

#define seal(o)		((o)->marked = SEALEDMARK)

/*
** The common strings are in one open-addressed table. Strings are only ever
** added, by whoever holds the lock; readers take no lock. A writer sets a
** slot's hash before its string, a reader reads them the other way round.
**
** Most strings are not common, and the slots are too many for a processor's
** first cache. So the table has a bit for each value of the hash's lowest
** bits, which says whether a common string has it.
*/
#define FILTERBITS	4u  /* for each slot */

typedef struct Slot {
  TString *string;  /* NULL: the slot is free */
  unsigned hash;
} Slot;

typedef struct Commons {
  struct Commons *smaller;  /* what was here before; a reader may still use it */
  unsigned mask;
  unsigned used;
  unsigned *filter;
  Slot slots[1];
} Commons;

/* Readers' entrance. */
LUAI_DDEC(Commons *luaS_commons;)

/*
** The bit of the table's filter that stands for a hash.
*/
static inline unsigned luaS_filterbit (const Commons *table, unsigned hash) {
  return hash & (table->mask * FILTERBITS + (FILTERBITS - 1));
}


/*
** Whether it is worth to look for a common string with this hash.
*/
static inline int luaS_maycommon (unsigned hash) {
  const Commons *table = __atomic_load_n(&luaS_commons, __ATOMIC_ACQUIRE);
  unsigned bit;
  if (table == NULL)
    return 0;
  bit = luaS_filterbit(table, hash);
  return __atomic_load_n(&table->filter[bit / 32], __ATOMIC_RELAXED)
         >> (bit % 32) & 1;
}

LUAI_FUNC unsigned luaS_commonseed (unsigned seed);
LUAI_FUNC TString *luaS_findcommon (const char *text, size_t length,
                                    unsigned hash);
LUAI_FUNC int luaS_eqtext (const TString *a, const TString *b);
LUAI_FUNC void luaE_bequeath (lua_State *L, LClosure *function);
LUAI_FUNC void luaE_bequeathstrings (lua_State *L);

#endif

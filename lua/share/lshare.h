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

LUAI_FUNC unsigned luaS_commonseed (unsigned seed);
LUAI_FUNC TString *luaS_findcommon (const char *text, size_t length,
                                    unsigned hash);
LUAI_FUNC int luaS_eqtext (const TString *a, const TString *b);
LUAI_FUNC void luaE_bequeath (lua_State *L, LClosure *function);
LUAI_FUNC void luaE_bequeathstrings (lua_State *L);

#endif

/*
** The hash of a string's bytes, eight at a time.
*/

#ifndef lhash_h
#define lhash_h

#include <string.h>

/* 2^64 over the golden ratio. */
#define HASHFACTOR	0x9E3779B97F4A7C15ull

/*
** Multiplicative hashing (Knuth, The Art of Computer Programming, vol. 3,
** 6.4), where the upper half of the product, which depends on the most bits,
** is folded into the lower one. Half a product would not do: a difference in a
** word's top bits stays in the top bits of the lower half, where one in the
** next word can undo it, whatever the seed is.
*/
static inline unsigned long long luaS_mix (unsigned long long hash,
                                           unsigned long long word) {
  unsigned __int128 product = (unsigned __int128)(hash ^ word) * HASHFACTOR;
  return (unsigned long long)product ^ (unsigned long long)(product >> 64);
}


static inline unsigned luaS_hashbytes (const char *bytes, size_t length,
                                       unsigned seed) {
  unsigned long long hash = seed ^ (length * HASHFACTOR);
  unsigned long long word = 0;
  for (; length > sizeof(word); length -= sizeof(word)) {
    memcpy(&word, bytes, sizeof(word));
    hash = luaS_mix(hash, word);
    bytes += sizeof(word);
  }
  if (length >= 4) {  /* two parts, which may overlap */
    unsigned first, last;
    memcpy(&first, bytes, sizeof(first));
    memcpy(&last, bytes + length - sizeof(last), sizeof(last));
    word = first | ((unsigned long long)last << 32);
  }
  else if (length > 0) {  /* three bytes, some of them maybe the same one */
    const unsigned char *byte = (const unsigned char *)bytes;
    word = byte[0] | (unsigned)byte[length / 2] << 8 |
           (unsigned)byte[length - 1] << 16;
  }
  return (unsigned)((luaS_mix(hash, word) * HASHFACTOR) >> 32);
}

#endif

// What the modules lineserver, keeper and answerer tell each other.
#ifndef CTEST_PARTIES_H
#define CTEST_PARTIES_H

#include "ctest.h"
#include "skynet_socket.h"

// A type of message that is theirs alone, and its content.
enum { PTYPE_PARTY = 77 };

struct party {
    int id; // the socket
    int count;
    char text[64];
};

#endif

// Sizes, offsets and constants that callers compile into their code.
// ctest:
#include "skynet.h"
#include "skynet_handle.h"
#include "skynet_harbor.h"
#include "skynet_imp.h"
#include "skynet_module.h"
#include "skynet_mq.h"
#include "ctest.h"

#include <stddef.h>

#define SIZE(type, bytes)                                       \
    do {                                                        \
        _Static_assert(sizeof(struct type) == bytes, "size");   \
        say(#type ": %zu bytes", sizeof(struct type));          \
    } while (0)
#define FIELD(type, field, offset)                                        \
    do {                                                                  \
        _Static_assert(offsetof(struct type, field) == offset, "offset"); \
        say("  " #field " at %zu", offsetof(struct type, field));         \
    } while (0)
#define NUMBER(name, value)                                     \
    do {                                                        \
        _Static_assert((name) == (value), "constant");          \
        say(#name " = %llx", (unsigned long long)(name));       \
    } while (0)

int main(void) {
    SIZE(skynet_message, 24);
    FIELD(skynet_message, source, 0);
    FIELD(skynet_message, session, 4);
    FIELD(skynet_message, data, 8);
    FIELD(skynet_message, sz, 16);
    SIZE(skynet_module, 48);
    FIELD(skynet_module, name, 0);
    FIELD(skynet_module, module, 8);
    FIELD(skynet_module, create, 16);
    FIELD(skynet_module, init, 24);
    FIELD(skynet_module, release, 32);
    FIELD(skynet_module, signal, 40);
    SIZE(skynet_config, 56);
    FIELD(skynet_config, thread, 0);
    FIELD(skynet_config, harbor, 4);
    FIELD(skynet_config, profile, 8);
    FIELD(skynet_config, daemon, 16);
    FIELD(skynet_config, module_path, 24);
    FIELD(skynet_config, bootstrap, 32);
    FIELD(skynet_config, logger, 40);
    FIELD(skynet_config, logservice, 48);
    SIZE(remote_name, 20);
    FIELD(remote_name, name, 0);
    FIELD(remote_name, handle, 16);
    SIZE(remote_message, 48);
    FIELD(remote_message, destination, 0);
    FIELD(remote_message, message, 24);
    FIELD(remote_message, sz, 32);
    FIELD(remote_message, type, 40);

    NUMBER(PTYPE_TEXT, 0);
    NUMBER(PTYPE_RESPONSE, 1);
    NUMBER(PTYPE_MULTICAST, 2);
    NUMBER(PTYPE_CLIENT, 3);
    NUMBER(PTYPE_SYSTEM, 4);
    NUMBER(PTYPE_HARBOR, 5);
    NUMBER(PTYPE_SOCKET, 6);
    NUMBER(PTYPE_ERROR, 7);
    NUMBER(PTYPE_RESERVED_QUEUE, 8);
    NUMBER(PTYPE_RESERVED_DEBUG, 9);
    NUMBER(PTYPE_RESERVED_LUA, 10);
    NUMBER(PTYPE_RESERVED_SNAX, 11);
    NUMBER(PTYPE_TAG_DONTCOPY, 0x10000);
    NUMBER(PTYPE_TAG_ALLOCSESSION, 0x20000);
    NUMBER(HANDLE_MASK, 0xffffff);
    NUMBER(HANDLE_REMOTE_SHIFT, 24);
    NUMBER(MESSAGE_TYPE_MASK, 0xffffffffffffff);
    NUMBER(MESSAGE_TYPE_SHIFT, 56);
    NUMBER(GLOBALNAME_LENGTH, 16);
    NUMBER(REMOTE_MAX, 256);
    NUMBER(THREAD_WORKER, 0);
    NUMBER(THREAD_MAIN, 1);
    NUMBER(THREAD_SOCKET, 2);
    NUMBER(THREAD_TIMER, 3);
    NUMBER(THREAD_MONITOR, 4);

    // The inline helpers of skynet_imp.h.
    char *half = skynet_strndup("halfway", 4);
    char *whole = skynet_strdup("whole");
    say("%s, %s", half, whole);
    skynet_free(half);
    skynet_free(whole);
    return 0;
}

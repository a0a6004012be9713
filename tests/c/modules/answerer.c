// A third party's service that answers socket messages with a type of message of its
// own, in blocks that it hands over.
#include "parties.h"

static int on_message(struct skynet_context *context, void *ud, int type, int session,
                      uint32_t source, const void *msg, size_t sz) {
    int *count = ud;
    const struct skynet_socket_message *message = msg;
    (void)session;
    CHECK(type == PTYPE_SOCKET && sz == sizeof *message);
    CHECK(message->type == SKYNET_SOCKET_TYPE_DATA);
    struct party *party = skynet_calloc(1, sizeof *party);
    party->id = message->id;
    party->count = ++*count;
    bool last = message->ud == 5 && memcmp(message->buffer, "leave", 5) == 0;
    if (last)
        strcpy(party->text, "bye");
    else
        snprintf(party->text, sizeof party->text, "%d: %.*s", party->count, message->ud,
                 message->buffer);
    skynet_free(message->buffer);
    int sent = skynet_send(context, 0, source,
                           PTYPE_PARTY | PTYPE_TAG_DONTCOPY | PTYPE_TAG_ALLOCSESSION, 0, party,
                           sizeof *party);
    // After another one's "bye" there may be nobody any more.
    CHECK(sent > 0 || last);
    return 0;
}

void *answerer_create(void) {
    return skynet_calloc(1, sizeof(int));
}

int answerer_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)parm;
    skynet_callback(context, instance, on_message);
    return 0;
}

void answerer_release(void *instance) {
    skynet_free(instance);
}

// Each service is charged for its own memory and no other's, after more services than
// the reference has places to count in: there a service counts in the place of one
// that is gone.
// ctest: thread=4 logger=silent deadline=120 only=ours needs=jemalloc
#include "malloc_hook.h"

#include "ctest.h"
#include "skynet_malloc.h"

// SENT: what a service may be charged for when it makes somebody's mailbox grow.
enum { KEPT = 300, PASSING = 66000, TOGETHER = 50, PREFIX = 16, SENT = 1 << 16 };

static uint32_t kept[2 * KEPT];
static int launched, going, answered;

struct account {
    bool stays;
    uint32_t handle;
    size_t size;
    void *block;
};

struct account *accounts_create(void) {
    return skynet_calloc(1, sizeof(struct account));
}

void accounts_release(struct account *a) {
    skynet_free(a->block);
    skynet_free(a);
}

// The first message has it allocate, the second look whether that is all it has, and
// give it back.
static int account(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)type, (void)msg, (void)sz;
    struct account *a = ud;
    size_t before = malloc_current_memory(), charged = a->size + PREFIX;
    if (a->block == NULL) {
        a->block = skynet_malloc(a->size);
        CHECK(malloc_current_memory() == before + charged);
    } else {
        CHECK(before >= charged && before < charged + SENT);
        skynet_free(a->block);
        a->block = NULL;
        CHECK(malloc_current_memory() == before - charged);
    }
    skynet_send(context, 0, source, PTYPE_RESPONSE, session, NULL, 0);
    if (!a->stays)
        skynet_command(context, "EXIT", NULL);
    return 0;
}

static uint32_t launch(struct skynet_context *context, bool stays) {
    char line[64];
    snprintf(line, sizeof line, "accounts child %d %d", stays, 1000 + going % 1000);
    uint32_t handle = skynet_queryname(context, skynet_command(context, "LAUNCH", line));
    CHECK(handle != 0);
    CHECK(skynet_send(context, 0, handle, PTYPE_TEXT, 1, NULL, 0) == 1);
    going++;
    return handle;
}

static int manage(struct skynet_context *context, void *ud, int type, int session,
                  uint32_t source, const void *msg, size_t sz) {
    (void)ud, (void)type, (void)source, (void)session, (void)msg, (void)sz;
    if (type == PTYPE_RESPONSE && source != 0)
        answered++;
    while (going - answered < TOGETHER && launched < 2 * KEPT) {
        if (launched < KEPT || going >= KEPT + PASSING)
            kept[launched++] = launch(context, true);
        else
            launch(context, false);
    }
    static bool checking;
    if (launched == 2 * KEPT && answered == going && !checking) {
        checking = true;
        say("%d services came, %d of them stay", going, launched);
        answered = 0;
        going = 2 * KEPT;
        for (int i = 0; i < 2 * KEPT; i++)
            skynet_send(context, 0, kept[i], PTYPE_TEXT, 1, NULL, 0);
    } else if (checking && answered == going) {
        say("each has what it allocated");
        skynet_command(context, "ABORT", NULL);
    }
    return 0;
}

int accounts_init(struct account *a, struct skynet_context *context, const char *parm) {
    int stays;
    if (sscanf(parm, "child %d %zu", &stays, &a->size) == 2) {
        a->stays = stays;
        skynet_callback(context, a, account);
    } else {
        skynet_callback(context, NULL, manage);
        skynet_command(context, "TIMEOUT", "0");
    }
    return 0;
}

// Services die while others send to them. Every request is accounted for: one
// response, or one PTYPE_ERROR if it was queued when the service died, or -1.
// ctest: thread=1 logger=silent
// ctest: thread=8 logger=silent
#include "ctest.h"

enum { CLIENTS = 4, ROUNDS = 400, BURST = 50 };

struct conserve {
    uint32_t server;
    int round, pending;
    int sent, answered, failed, refused;
    bool open[ROUNDS * BURST * 2]; // by session
};

static uint32_t boss;

struct conserve *conserve_create(void) {
    return skynet_calloc(1, sizeof(struct conserve));
}

void conserve_release(struct conserve *self) {
    skynet_free(self);
}

// Answers a few messages, then exits with the rest still queued.
static int serve(struct skynet_context *context, void *ud, int type, int session,
                 uint32_t source, const void *msg, size_t sz) {
    (void)type, (void)msg, (void)sz;
    struct conserve *self = ud;
    skynet_send(context, 0, source, PTYPE_RESPONSE, session, NULL, 0);
    if (++self->answered == BURST / 3)
        skynet_command(context, "EXIT", NULL);
    return 0;
}

static void next_round(struct skynet_context *context, struct conserve *self) {
    if (self->round++ == ROUNDS) {
        CHECK(self->sent == self->answered + self->failed);
        CHECK(self->sent + self->refused == ROUNDS * BURST);
        CHECK(self->answered >= ROUNDS * (BURST / 3));
        skynet_send(context, 0, boss, PTYPE_TEXT, 0, NULL, 0);
        return;
    }
    self->server = skynet_queryname(context, skynet_command(context, "LAUNCH", "conserve server"));
    CHECK(self->server != 0);
    for (int i = 0; i < BURST; i++) {
        int session = skynet_send(context, 0, self->server, PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0,
                                  "request", 7);
        if (session < 0) {
            self->refused++;
        } else {
            self->open[session] = true;
            self->sent++;
            self->pending++;
        }
    }
}

static int request(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)msg, (void)sz;
    struct conserve *self = ud;
    if (source != 0) {
        CHECK(source == self->server && self->open[session]);
        CHECK(type == PTYPE_RESPONSE || type == PTYPE_ERROR);
        self->open[session] = false;
        *(type == PTYPE_RESPONSE ? &self->answered : &self->failed) += 1;
        self->pending--;
    }
    if (self->pending == 0)
        next_round(context, self);
    return 0;
}

static int collect(struct skynet_context *context, void *ud, int type, int session,
                   uint32_t source, const void *msg, size_t sz) {
    (void)type, (void)session, (void)source, (void)msg, (void)sz;
    struct conserve *self = ud;
    if (++self->answered == CLIENTS) {
        say("every request accounted for");
        skynet_command(context, "ABORT", NULL);
    }
    return 0;
}

int conserve_init(struct conserve *self, struct skynet_context *context, const char *parm) {
    if (strcmp(parm, "server") == 0) {
        skynet_callback(context, self, serve);
    } else if (strcmp(parm, "client") == 0) {
        skynet_callback(context, self, request);
        skynet_command(context, "TIMEOUT", "0");
    } else {
        boss = skynet_queryname(context, skynet_command(context, "REG", NULL));
        skynet_callback(context, self, collect);
        for (int i = 0; i < CLIENTS; i++)
            CHECK(skynet_command(context, "LAUNCH", "conserve client") != NULL);
    }
    return 0;
}

// Prints when its four functions are called.
#include "ctest.h"

struct noisy {
    char name[32];
};

struct noisy *noisy_create(void) {
    struct noisy *self = skynet_malloc(sizeof *self);
    strcpy(self->name, "unnamed");
    say("noisy: created");
    return self;
}

int noisy_init(struct noisy *self, struct skynet_context *context, const char *parm) {
    (void)context;
    snprintf(self->name, sizeof self->name, "%s", parm ? parm : "nobody");
    say("%s: initialised", self->name);
    return 0;
}

void noisy_release(struct noisy *self) {
    say("%s: released", self->name);
    skynet_free(self);
}

void noisy_signal(struct noisy *self, int signal) {
    say("%s: signal %d", self->name, signal);
}

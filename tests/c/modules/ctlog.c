// A logger: prints the lines it gets. A PTYPE_CLIENT message is answered when all
// lines before it are out. Its parameter is "sources", to print who wrote a line,
// "errors", to print only lines that begin with "error", or "silent".
#include "ctest.h"

#include <stdint.h>

static const char *const modes[] = {"all", "sources", "errors", "silent"};
enum { ALL, SOURCES, ERRORS, SILENT };

static int ctlog_message(struct skynet_context *context, void *ud, int type, int session,
                         uint32_t source, const void *msg, size_t sz) {
    static const char mark[] = "error";
    int mode = (int)(intptr_t)ud;
    while (sz > 0 && ((const char *)msg)[sz - 1] == '\n')
        sz--; // the reference ends one of its lines so
    bool is_error = sz >= sizeof mark - 1 && memcmp(msg, mark, sizeof mark - 1) == 0;
    if (type == PTYPE_CLIENT)
        skynet_send(context, 0, source, PTYPE_RESPONSE, session, NULL, 0);
    else if (type == PTYPE_TEXT && mode == SOURCES)
        say("log [:%08x] %.*s", source, (int)sz, (const char *)msg);
    else if (type == PTYPE_TEXT && (mode == ALL || (mode == ERRORS && is_error)))
        say("log %.*s", (int)sz, (const char *)msg);
    return 0;
}

int ctlog_init(void *instance, struct skynet_context *context, const char *parm) {
    (void)instance;
    int mode = parm == NULL ? ALL : SILENT;
    while (parm != NULL && mode > ALL && strcmp(parm, modes[mode]) != 0)
        mode--;
    skynet_callback(context, (void *)(intptr_t)mode, ctlog_message);
    return 0;
}

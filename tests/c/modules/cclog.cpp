// A third party's logger in C++: functions with C names, objects of its own, and no
// name registered. It prints the lines that begin with its parameter, and when it is
// asked, whether there were others.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

extern "C" {
#include "skynet.h"
}

namespace {

struct Log {
    std::string prefix;
    std::vector<std::string> others;

    void line(const std::string &text) {
        if (text.compare(0, prefix.size(), prefix) != 0) {
            others.push_back(text);
            return;
        }
        std::string out = "C++ log: " + text + "\n";
        std::fwrite(out.data(), 1, out.size(), stdout);
        std::fflush(stdout);
    }
};

int on_message(skynet_context *context, void *ud, int type, int session, std::uint32_t source,
               const void *msg, size_t sz) {
    Log *log = static_cast<Log *>(ud);
    if (type == PTYPE_TEXT) {
        log->line(std::string(static_cast<const char *>(msg), sz));
    } else if (type == PTYPE_CLIENT) { // who asks wants all lines before to be out
        log->line(log->prefix + (log->others.empty() ? " of no others" : "s of others came too"));
        skynet_send(context, 0, source, PTYPE_RESPONSE, session, nullptr, 0);
    }
    return 0;
}

} // namespace

extern "C" {

void *cclog_create(void) {
    return new Log;
}

int cclog_init(void *instance, skynet_context *context, const char *parm) {
    Log *log = static_cast<Log *>(instance);
    log->prefix = parm == nullptr ? "" : parm;
    skynet_callback(context, log, on_message);
    return 0;
}

void cclog_release(void *instance) {
    delete static_cast<Log *>(instance);
}

void cclog_signal(void *instance, int number) {
    static_cast<Log *>(instance)->line("signal " + std::to_string(number));
}
}

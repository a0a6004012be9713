// A daemon whose starter has closed its standard streams: neither the pid file nor the
// pipe to the starter comes to be among them, so the lock stays and the starter ends.
// ctest: only=ours
#include "ctest.h"
#include "skynet_daemon.h"
#include "skynet_imp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

void (*volatile daemon_closed_links)(struct skynet_config *) = skynet_start;

static char pidfile[4096];

static void in_background(int report, int wait) {
    char word;
    for (int fd = 0; fd <= 2; fd++)
        close(fd);
    dprintf(report, "daemon_init: %d\n", daemon_init(pidfile));
    for (int fd = 0; fd <= 2; fd++) {
        char name[64], target[4096];
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(name, target, sizeof target);
        dprintf(report, "%d is %.*s\n", fd, length < 0 ? 0 : (int)length, target);
    }
    if (read(wait, &word, 1) != 1)
        _exit(1);
    dprintf(report, "daemon_exit: %d\n", daemon_exit(pidfile));
    dprintf(report, "the file is there: %d\n", access(pidfile, F_OK) == 0);
    _exit(0);
}

static bool is_locked(void) {
    int fd = open(pidfile, O_RDWR);
    CHECK(fd >= 0);
    bool locked = flock(fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK;
    close(fd);
    return locked;
}

int main(int argc, char **argv) {
    CHECK(argc > 2);
    snprintf(pidfile, sizeof pidfile, "%s/pid", argv[2]);
    int reports[2], waits[2], status;
    CHECK(pipe(reports) == 0 && pipe(waits) == 0);
    pid_t starter = fork();
    CHECK(starter >= 0);
    if (starter == 0) {
        close(reports[0]);
        close(waits[1]);
        in_background(reports[1], waits[0]);
    }
    close(reports[1]);
    close(waits[0]);
    CHECK(waitpid(starter, &status, 0) == starter && WIFEXITED(status));
    say("its starter ended with %d", WEXITSTATUS(status));
    say("locked: %d", is_locked());
    CHECK(write(waits[1], "x", 1) == 1);
    FILE *report = fdopen(reports[0], "r");
    char line[4096];
    while (fgets(line, sizeof line, report) != NULL)
        say("%.*s", (int)strlen(line) - 1, line);
    fclose(report);
    return 0;
}

// A process in the background, and its pid file. What it sees comes back through a
// pipe, since its standard streams are gone.
// ctest:
#include "ctest.h"
#include "skynet_daemon.h"
#include "skynet_imp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

void (*volatile daemon_links)(struct skynet_config *) = skynet_start;

static char pidfile[4096], errors[4096], here[4096];

static long pid_in_file(void) {
    long pid = -1;
    FILE *f = fopen(pidfile, "r");
    if (f != NULL) {
        if (fscanf(f, "%ld", &pid) != 1)
            pid = -1;
        fclose(f);
    }
    return pid;
}

static bool is_locked(void) {
    int fd = open(pidfile, O_RDWR);
    CHECK(fd >= 0);
    bool locked = flock(fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK;
    close(fd);
    return locked;
}

static void in_background(int report, int wait, pid_t starter) {
    char name[64], target[4096], path[4096] = "";
    int result = daemon_init(pidfile);
    dprintf(report, "daemon_init: %d\n", result);
    dprintf(report, "a new process: %d, its own session: %d\n", getpid() != starter, getsid(0) != getsid(starter));
    dprintf(report, "same directory: %d\n", strcmp(getcwd(path, sizeof path), here) == 0);
    for (int fd = 0; fd <= 2; fd++) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(name, target, sizeof target - 1);
        dprintf(report, "%d is %.*s\n", fd, (int)length, target);
    }
    dprintf(report, "its id in the file: %d, locked: %d\n", pid_in_file() == getpid(), is_locked());
    dprintf(report, ".\n");
    if (read(wait, name, 1) != 1)
        _exit(1);
    dprintf(report, "daemon_exit: %d\n", daemon_exit(pidfile));
    dprintf(report, "the file is there: %d\n", access(pidfile, F_OK) == 0);
    dprintf(report, "daemon_exit: %d\n", daemon_exit(pidfile));
    _exit(0);
}

// What it tries ends with code 7 if daemon_init refuses.
static int refused(const char *path) {
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int fd = open(errors, O_RDWR | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 2);
        _exit(daemon_init(path) == 1 ? 7 : 8);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

// Passes lines on until the one with a dot, or the end.
static void pass(FILE *from) {
    char line[4096];
    while (fgets(line, sizeof line, from) != NULL && strcmp(line, ".\n") != 0)
        say("%.*s", (int)strlen(line) - 1, line);
}

int main(int argc, char **argv) {
    CHECK(argc > 2 && getcwd(here, sizeof here) != NULL);
    snprintf(pidfile, sizeof pidfile, "%s/pid", argv[2]);
    snprintf(errors, sizeof errors, "%s/errors", argv[2]);

    // Left over, with the number of a process that cannot be.
    FILE *f = fopen(pidfile, "w");
    CHECK(f != NULL && fputs("999999999\n", f) >= 0 && fclose(f) == 0);

    int reports[2], waits[2], status;
    CHECK(pipe(reports) == 0 && pipe(waits) == 0);
    pid_t starter = fork();
    CHECK(starter >= 0);
    if (starter == 0) {
        close(reports[0]);
        close(waits[1]);
        in_background(reports[1], waits[0], getpid());
    }
    close(reports[1]);
    close(waits[0]);
    FILE *report = fdopen(reports[0], "r");
    pass(report);
    CHECK(waitpid(starter, &status, 0) == starter && WIFEXITED(status));
    say("its starter ended with %d", WEXITSTATUS(status));

    long pid = pid_in_file(), named = 0;
    say("a second one: %d", refused(pidfile));
    f = fopen(errors, "r");
    CHECK(f != NULL && fscanf(f, "Skynet is already running, pid = %ld.", &named) == 1);
    fclose(f);
    say("its id is named: %d, the file is as it was: %d", named == pid, pid_in_file() == pid);

    CHECK(write(waits[1], "x", 1) == 1);
    pass(report);
    fclose(report);
    return 0;
}

/* Says on standard error in which libraries a process crashes: "crashed in:" and a file for each frame, the innermost
 * first. Loading this library is enough. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { FRAMES = 64, STACK = 1 << 16 };

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

static void say(const char* text) {
    if (write(STDERR_FILENO, text, strlen(text)) < 0) _exit(1);
}

static void crashed(int number) {
    void* frames[FRAMES];
    int count = backtrace(frames, FRAMES);
    say("crashed in:\n");
    for (int i = 0; i < count; ++i) {
        Dl_info info;
        say(dladdr(frames[i], &info) && info.dli_fname ? info.dli_fname : "no library");
        say("\n");
    }
    raise(number);
}

__attribute__((constructor)) static void install(void) {
    static char stack[STACK];
    stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&own, NULL);
    struct sigaction action = {.sa_handler = crashed, .sa_flags = SA_ONSTACK | SA_RESETHAND};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i) sigaction(signals[i], &action, NULL);
    /* The first call loads a library, which a handler must not. */
    void* frame;
    backtrace(&frame, 1);
}

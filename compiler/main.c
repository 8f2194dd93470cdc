/* main.c -- picks the command, and sees to it that what was printed arrived. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

/* A file opened later must not become standard output because that was closed: the number is taken by something
   that cannot be written to. */
static void hold_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

static int finish(int status)
{
    errno = 0;
    bool lost = fflush(stdout) != 0 || ferror(stdout);
    int why = errno;
    lost = (fclose(stdout) != 0) || lost;
    if (!lost) return status;
    if (why != EPIPE) fprintf(stderr, "netc: error: cannot write to standard output: %s\n", strerror(why ? why : EIO));
    return status ? status : EXIT_io;
}

static int run(Arena *a, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        help_print(stderr);
        return EXIT_usage;
    }
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) return printf("netc " NETC_VERSION "\n") < 0;
    bool help = !strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help");
    if (help && argc == 2) {
        help_print(stdout);
        return 0;
    }
    if (help) name = argv[2];
    const Command *c = command_find(name);
    if (!c) {
        const char *names[32];
        int n = 0;
        while (commands[n].name) names[n] = commands[n].name, n++;
        const char *near = did_you_mean(name, names, n);
        return near ? usage_error(NULL, "unknown command '%s'; did you mean '%s'?", name, near)
                    : usage_error(NULL, "unknown command '%s'", name);
    }
    if (help) {
        help_command(stdout, c);
        return 0;
    }
    Options *o = NEW(a, Options);
    o->arena = a;
    int status;
    opterr = 0;
    return options_read(o, c, argc - 1, argv + 1, &status) ? c->run(o) : status;
}

int main(int argc, char **argv)
{
    hold_standard_files();
    Arena *a = arena_new();
    int status = run(a, argc, argv);
    arena_free(a);
    return finish(status);
}

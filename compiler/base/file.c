/* file.c -- read whole files, write them at once or not at all. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_open(Arena *a, int fd, const char *path, size_t limit, size_t *size, const char **why, int *status)
{
    size_t cap = 65536, n = 0;
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) cap = (size_t)st.st_size;
    if (cap > limit) {
        *why = arena_printf(a, "%s: too large: %zu bytes, at most %zu are read", path, cap, limit);
        *status = EXIT_model;
        return NULL;
    }
    char *bytes = arena_alloc(a, cap + 1);
    for (;;) {
        if (n > cap) {  /* the byte kept for the NUL is taken too: not at the end */
            if (cap >= limit) break;
            char *more = arena_alloc(a, cap * 2 + 2);
            memcpy(more, bytes, n);
            bytes = more;
            cap = cap * 2 + 1;
        }
        ssize_t got = read(fd, bytes + n, cap + 1 - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            *why = arena_printf(a, "%s: cannot read: %s", path, strerror(errno));
            *status = errno == EISDIR ? EXIT_noinput : EXIT_io;
            return NULL;
        }
        if (got == 0) break;
        n += (size_t)got;
    }
    if (n > limit) {
        *why = arena_printf(a, "%s: too large: at most %zu bytes are read", path, limit);
        *status = EXIT_model;
        return NULL;
    }
    bytes[n] = '\0';
    *size = n;
    return bytes;
}

char *file_read(Arena *a, const char *path, size_t limit, size_t *size, const char **why, int *status)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *why = arena_printf(a, "%s: cannot open: %s", path, strerror(errno));
        *status = EXIT_noinput;
        return NULL;
    }
    char *bytes = read_open(a, fd, path, limit, size, why, status);
    close(fd);
    return bytes;
}

static bool same_bytes(const char *path, const void *bytes, size_t size)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    bool same = fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
    char chunk[4096];
    for (size_t done = 0; same && done < size;) {
        size_t want = size - done < sizeof chunk ? size - done : sizeof chunk;
        same = fread(chunk, 1, want, f) == want && memcmp(chunk, (const char *)bytes + done, want) == 0;
        done += want;
    }
    fclose(f);
    return same;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

static bool failed(Arena *a, const char *path, const char **why)
{
    *why = arena_printf(a, "%s: cannot write: %s", path, strerror(errno));
    return false;
}

bool file_write(Arena *a, const char *path, const void *bytes, size_t size, const char **why)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {  /* /dev/stdout, a pipe: nothing to rename */
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        bool good = fd >= 0 && write_all(fd, bytes, size);
        if (!good) failed(a, path, why);
        if (fd >= 0) close(fd);
        return good;
    }
    if (same_bytes(path, bytes, size)) return true;
    char *temporary = arena_printf(a, "%s.XXXXXX", path);
    int fd = mkstemp(temporary);
    if (fd < 0) return failed(a, path, why);
    mode_t mask = umask(0);
    umask(mask);
    bool good = write_all(fd, bytes, size) && fchmod(fd, 0666 & ~mask) == 0 && fsync(fd) == 0;
    good = (close(fd) == 0) && good;
    if (good && rename(temporary, path) == 0) return true;
    failed(a, path, why);
    unlink(temporary);
    return false;
}

bool directory_make(Arena *a, const char *path, const char **why)
{
    char *p = arena_strdup(a, path);
    for (char *slash = p + 1; *p && *slash; slash++)
        if (*slash == '/') {
            *slash = '\0';
            mkdir(p, 0777);
            *slash = '/';
        }
    struct stat st;
    if (mkdir(path, 0777) == 0 || (stat(path, &st) == 0 && S_ISDIR(st.st_mode))) return true;
    *why = arena_printf(a, "%s: cannot make the directory: %s", path, strerror(errno == EEXIST ? ENOTDIR : errno));
    return false;
}

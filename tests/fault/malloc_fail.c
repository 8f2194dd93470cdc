/* malloc_fail.c -- a shared object to preload: from the FAIL_AT-th allocation on, memory has run out.
   With COUNT_TO=FILE it writes how many allocations there were. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static long count, fail_at = -1;

static int fails(void)
{
    if (fail_at < 0) {
        const char *at = getenv("FAIL_AT");
        fail_at = at ? strtol(at, NULL, 10) : 0;
    }
    count++;
    if (!fail_at || count < fail_at) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t n) { return fails() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return fails() ? NULL : __libc_realloc(p, n); }

__attribute__((destructor)) static void report(void)
{
    const char *to = getenv("COUNT_TO");
    if (!to) return;
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    char digits[24];
    int n = 0;
    for (long c = count; c; c /= 10) digits[n++] = (char)('0' + c % 10);
    while (n && write(fd, &digits[--n], 1) == 1) {}
    close(fd);
}

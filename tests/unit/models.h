/* models.h -- for tests of nets: a model from a file, or from a text. */
#ifndef TEST_MODELS_H
#define TEST_MODELS_H

#include "../../compiler/pass/pass.h"

#include <check.h>
#include <string.h>
#include <unistd.h>

static inline Model *test_model(Arena *a, const char *path)
{
    int status = 0;
    Sources *sources = NEW(a, Sources);
    Diag *d = NEW(a, Diag);
    sources->arena = a;
    *d = (Diag){ .sources = sources, .out = stderr };
    Model *m = model_read(a, d, sources, path, &status);
    ck_assert_msg(m && !d->errors, "%s does not parse", path);
    return m;
}

static inline Model *test_model_of(Arena *a, const char *text)
{
    const char *path = arena_printf(a, "build/test-%d.net", (int)getpid()), *why;
    ck_assert_msg(file_write(a, path, text, strlen(text), &why), "%s", why);
    Model *m = test_model(a, path);
    unlink(path);
    return m;
}

#endif

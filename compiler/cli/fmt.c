/* fmt.c -- netc fmt: a file parsed and printed back. */
#include "cli.h"

#include <string.h>

static int print_text(const Options *o, const Text *text, const char *before, size_t size)
{
    bool same = text->n == size && !memcmp(text_string(text), before, size);
    const char *why;
    if (o->check) {
        if (!same) printf("%s\n", o->file);
        return same ? 0 : EXIT_model;
    }
    if (!o->in_place) {
        fwrite(text_string(text), 1, text->n, stdout);
        return 0;
    }
    return file_write(o->arena, o->file, text_string(text), text->n, &why) ? 0 : fail(EXIT_io, "%s", why);
}

int command_fmt(const Options *o)
{
    Sources sources = {.arena = o->arena};
    Diag diag = {.sources = &sources, .out = stderr};
    size_t size = 0;
    const char *why;
    int status;
    const char *bytes = file_read(o->arena, o->file, SOURCE_LIMIT, &size, &why, &status);
    if (!bytes) return fail(status, "%s", why);
    const Source *source = sources_add(&sources, o->file, bytes, size);
    if (!source) return fail(EXIT_model, "%s: too large", o->file);
    Ast *file = ast_parse(o->arena, &diag, source);
    if (diag.errors) return EXIT_model;
    Text text = {.arena = o->arena};
    ast_format(&text, file, source);
    return print_text(o, &text, bytes, size);
}

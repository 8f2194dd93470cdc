/* emit.c -- netc emit: all files in memory first, then each written at once; nothing after errors. */
#include "tune.h"

#include <string.h>

/* Bytes of weights up to which they are written as numbers that a person can read. */
enum { INLINE_LIMIT = 1 << 20 };

/* A name in a make rule: spaces, # and $ as make wants them. */
static void put_make(Text *out, const char *path)
{
    for (; *path; path++) {
        if (*path == ' ' || *path == '#') text_putc(out, '\\');
        if (*path == '$') text_putc(out, '$');
        text_putc(out, *path);
    }
}

/* DIR/NET.d, as of cc -MD -MP: a deleted import does not stop make. */
static EmittedFile dependency_rule(Session *s, const Emitted *e)
{
    Text text = {.arena = s->arena};
    const Options *o = s->options;
    for (int i = 0; i < e->file.n; i++) {
        put_make(&text, arena_printf(s->arena, "%s/%s", o->output, e->file.at[i].name));
        text_puts(&text, i + 1 < e->file.n ? " \\\n" : ":");
    }
    for (int i = 0; i < s->model->path.n; i++) {
        text_puts(&text, " \\\n  ");
        put_make(&text, s->model->path.at[i]);
    }
    if (o->weights) text_puts(&text, " \\\n  ");
    if (o->weights) put_make(&text, o->weights);
    if (o->tune) text_puts(&text, " \\\n  ");
    if (o->tune) put_make(&text, o->tune);
    text_putc(&text, '\n');
    for (int i = 1; i < s->model->path.n; i++) {
        put_make(&text, s->model->path.at[i]);
        text_puts(&text, ":\n");
    }
    return (EmittedFile){arena_printf(s->arena, "%s.d", s->unit.net), text_string(&text), text.n};
}

static int write_files(Session *s, const Emitted *e)
{
    const char *why;
    const Options *o = s->options;
    if (!directory_make(s->arena, o->output, &why)) return fail(EXIT_io, "%s", why);
    for (int i = 0; i < e->file.n; i++) {
        const EmittedFile *f = &e->file.at[i];
        const char *path = arena_printf(s->arena, "%s/%s", o->output, f->name);
        if (!file_write(s->arena, path, f->bytes, f->size, &why)) return fail(EXIT_io, "%s", why);
    }
    return 0;
}

int command_emit(const Options *o)
{
    if (!o->output) return usage_error(o->command, "where to? -o DIR is missing");
    Session s;
    int status = session_open(&s, o, "avx2");
    if (!status) status = session_compile(&s);
    if (!status && o->tune) status = tune_read(&s);
    if (!status && o->tune) status = tune_kernels(&s);
    if (status) return status;
    if (o->weights && !o->embed) s.unit.embed = s.unit.weights_bytes <= INLINE_LIMIT ? EMBED_inline : EMBED_string;
    Emitted e = {0};
    emit_unit(&s.unit, &e);
    if (o->dependency) vec_push(s.arena, &e.file, dependency_rule(&s, &e));
    return write_files(&s, &e);
}

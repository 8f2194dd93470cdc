/* fuzz_parse.c -- any bytes: the parser neither crashes nor hangs, and what parses is formatted to what parses alike. */
#include "../../grammar/ast.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Parsed { const Ast *file; const Source *source; int errors; } Parsed;

static Parsed parse(Arena *a, FILE *out, const char *text, size_t size)
{
    Sources *sources = NEW(a, Sources);
    sources->arena = a;
    Diag d = {.sources = sources, .out = out};
    const Source *source = sources_add(sources, "fuzz.net", arena_strndup(a, text, size), size);
    if (!source) return (Parsed){.errors = 1};
    const Ast *file = ast_parse(a, &d, source);
    return (Parsed){file, source, d.errors};
}

static bool same(const Ast *x, const Ast *y)
{
    if (!x || !y) return x == y;
    if (x->kind != y->kind || x->op != y->op || x->integer != y->integer || x->n != y->n) return false;
    if (memcmp(&x->real, &y->real, sizeof x->real) != 0 || strcmp(x->text ? x->text : "", y->text ? y->text : "") != 0)
        return false;
    for (int i = 0; i < x->n; i++)
        if (!same(x->kid[i], y->kid[i])) return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *out;
    if (!out) out = fopen("/dev/null", "w");
    Arena *a = arena_new();
    Parsed first = parse(a, out, (const char *)data, size);
    if (!first.file) abort();
    if (!first.errors) {
        Text once = {.arena = a}, twice = {.arena = a};
        ast_format(&once, first.file, first.source);
        Parsed second = parse(a, out, text_string(&once), once.n);
        if (second.errors || !same(first.file, second.file)) abort();
        ast_format(&twice, second.file, second.source);
        if (once.n != twice.n || (once.n && memcmp(once.s, twice.s, once.n) != 0)) abort();
    }
    arena_free(a);
    return 0;
}

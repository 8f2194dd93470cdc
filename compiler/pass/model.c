/* model.c -- reads a .net file, what it imports, and the prelude. */
#include "pass.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { IMPORTS_MAX = 256 };

typedef struct Reader {
    Model *m;
    const char *open[IMPORTS_MAX];   /* real paths of the files being read, outermost first */
    int n_open;
    VEC(const char *) done;
    int status;
} Reader;

static bool read_one(Reader *r, const char *path, Span from);

static const char *beside(Arena *a, const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    if (*path == '/' || !slash) return path;
    return arena_printf(a, "%.*s/%s", (int)(slash - file), file, path);
}

static bool read_imports(Reader *r, const Ast *file, const char *path)
{
    bool good = true;
    for (int i = 0; i < file->n; i++)
        if (file->kid[i]->kind == AST_import) good &= read_one(r, beside(r->m->arena, path, file->kid[i]->text), file->kid[i]->span);
    return good;
}

static bool fail(Reader *r, Span from, const char *why, int status)
{
    if (from.begin) diag_error(r->m->diag, from, "%s", why);
    else fprintf(r->m->diag->out, "netc: error: %s\n", why);
    if (!r->status) r->status = status;
    return false;
}

static bool read_one(Reader *r, const char *path, Span from)
{
    Arena *a = r->m->arena;
    const char *why = NULL;
    int status = 0;
    size_t size;
    char *text = file_read(a, path, SOURCE_LIMIT, &size, &why, &status);
    if (!text) return fail(r, from, why, status);
    char *real = realpath(path, NULL);
    if (!real) memory_out();
    const char *key = arena_strdup(a, real);
    free(real);
    for (int i = 0; i < r->n_open; i++)
        if (!strcmp(r->open[i], key)) {
            diag_error(r->m->diag, from, "a cycle of imports: \"%s\" is being read already", path);
            return true;
        }
    for (int i = 0; i < r->done.n; i++)
        if (!strcmp(r->done.at[i], key)) return true;
    if (r->n_open == IMPORTS_MAX) return fail(r, from, "imports are nested too deeply", EXIT_model);
    const Source *source = sources_add(r->m->sources, path, text, size);
    if (!source) return fail(r, from, "the files are too large together", EXIT_model);
    vec_push(a, &r->m->path, path);
    r->open[r->n_open++] = key;
    Ast *file = ast_parse(a, r->m->diag, source);
    bool good = read_imports(r, file, path);
    r->n_open--;
    vec_push(a, &r->done, key);
    vec_push(a, &r->m->file, file);
    return good;
}

/* Two blocks, nets or constants of one name in one file. */
static void check_names(Model *m)
{
    for (int f = 0; f < m->file.n; f++)
        for (int i = 0; i < m->file.at[f]->n; i++) {
            const Ast *x = m->file.at[f]->kid[i];
            for (int k = 0; k < i && x->text; k++) {
                const Ast *y = m->file.at[f]->kid[k];
                if (x->kind != y->kind || x->kind == AST_import || !y->text || strcmp(x->text, y->text)) continue;
                diag_error(m->diag, x->name_span.begin ? x->name_span : x->span, "a second %s `%s`", ast_kind_name(x->kind), x->text);
                diag_note(m->diag, y->name_span.begin ? y->name_span : y->span, "the first is here");
            }
        }
}

Model *model_read(Arena *a, Diag *d, Sources *sources, const char *path, int *status)
{
    Model *m = NEW(a, Model);
    *m = (Model){.arena = a, .diag = d, .sources = sources};
    const Source *prelude = sources_add(sources, "<prelude>", prelude_text, strlen(prelude_text));
    vec_push(a, &m->file, ast_parse(a, d, prelude));
    Reader r = {.m = m};
    bool good = read_one(&r, path, (Span){0, 0});
    check_names(m);
    *status = good ? 0 : r.status;
    return good ? m : NULL;
}

/* emit.c -- all files of a net. */
#include "code.h"

#include <string.h>

#define NETC_VERSION "0.1.0"

/* ---- fields ---- */

static int64_t element_bytes(const Unit *u) { return u->f64 ? 8 : 4; }

static void add_field(const Unit *u, Fields *all, int64_t *bytes, const Buffer *b)
{
    if (map_find_name(&all->of, b->node->name) >= 0) return;
    map_add_name(u->arena, &all->of, b->node->name, all->n);
    Field field = {.name = b->node->name, .node = b->node, .buffer = b, .offset = *bytes};
    *bytes += (b->elements * element_bytes(u) + 63) / 64 * 64;
    vec_push(u->arena, all, field);
}

int memory_of(const Unit *u, const Program *p) { return p == u->forward ? MEMORY_forward : p == u->next ? MEMORY_next : MEMORY_train; }

static void add_fields(Unit *u, const Program *p)
{
    const int of = memory_of(u, p);
    for (int i = 0; p && i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->base) continue;
        if (b->kind == BUF_param) add_field(u, &u->weights, &u->weights_bytes, b);
        if (b->kind == BUF_state) add_field(u, &u->state, &u->state_bytes, b);
        if (b->kind == BUF_memory) add_field(u, &u->memory[of], &u->memory_bytes[of], b);
    }
}

int field_index(const Fields *f, const Buffer *b)
{
    const int i = map_find_name(&f->of, b->name);
    if (i < 0) internal_error("emit", "no field for %s", b->name);
    return i;
}

void unit_fields(Unit *u)
{
    u->weights = u->state = (Fields){0};
    u->weights_bytes = u->state_bytes = 0;
    for (int of = 0; of < MEMORIES; of++) u->memory[of] = (Fields){0}, u->memory_bytes[of] = 0;
    add_fields(u, u->step);
    add_fields(u, u->gradient);
    add_fields(u, u->evaluate);
    add_fields(u, u->forward);
    add_fields(u, u->next);
    if (!u->weights_bytes) u->weights_bytes = 64;      /* a struct has a member in C */
    if (!u->state_bytes) u->state_bytes = 64;
}

/* ---- comments ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *unit_source(const Unit *u, const Node *n, int *line, const char **text, int *length)
{
    Place place;
    if (!u->sources || !n || !n->span.begin || !sources_place(u->sources, n->span.begin, &place)) return NULL;
    *line = place.line;
    *text = place.line_text;
    *length = place.line_length;
    while (*length && (**text == ' ' || **text == '\t')) ++*text, --*length;
    while (*length && ((*text)[*length - 1] == ' ' || (*text)[*length - 1] == '\r')) --*length;
    return base_name(place.source->name);
}

const char *banner(const Unit *u, const char *file, const char *what, uint64_t hash)
{
    return arena_printf(u->arena, "/* %s -- %s\n   Written by netc " NETC_VERSION "; model %016llx; target %s%s. Changes belong into the .net file. */\n",
                        file, what, (unsigned long long)hash, u->target->name, u->f64 ? ", double" : "");
}

/* Text from a .net line must not end the comment it stands in. */
static const char *harmless(Arena *a, const char *s, int n)
{
    char *copy = arena_strndup(a, s, (size_t)n);
    for (char *p = copy; *p; p++) {
        if ((p[0] == '*' && p[1] == '/') || (p[0] == '/' && p[1] == '*')) p[1] = ' ';
        if ((unsigned char)*p < 32 && *p != '\t') *p = ' ';
    }
    return copy;
}

static const char *axes_text(const Unit *u, const Kernel *k)
{
    Text t = {.arena = u->arena};
    for (int i = 0; i < k->n_axes; i++)
        if (k->axis[i].extent > 1) text_printf(&t, "%s%s %lld", t.n ? ", " : "", k->axis[i].name, (long long)k->axis[i].extent);
    return text_string(&t);
}

static void write_comment(Text *t, const Unit *u, const Function *f)
{
    int line, length;
    const char *text, *file = unit_source(u, f->kernel->node, &line, &text, &length);
    if (file) text_printf(t, "/* %s:%d: %s\n   ", file, line, harmless(u->arena, text, length));
    else text_puts(t, "/* ");
    text_printf(t, "%s", f->kernel->name);
    for (int i = 0, seen = 0; i < f->shared.n; i++) {
        if (!strcmp(f->shared.at[i]->name, f->kernel->name)) continue;
        if (seen++ < 6) text_printf(t, ", %s", f->shared.at[i]->name);
        else if (i + 1 == f->shared.n) text_puts(t, " and others");
    }
    const char *axes = axes_text(u, f->kernel);
    text_printf(t, "%s%s", *axes ? ": " : "", axes);
    if (f->rank) text_printf(t, "\n   tuned: tile %d by the model's costs", f->rank);
    text_puts(t, " */\n");
}

/* ---- files ---- */

static void add_file(const Unit *u, Emitted *out, const char *name, const char *what, uint64_t hash, const char *text)
{
    const char *all = arena_printf(u->arena, "%s%s", banner(u, name, what, hash), text);
    EmittedFile file = {name, all, strlen(all)};
    vec_push(u->arena, &out->file, file);
}

static const char *code_file(const Unit *u, const ApiNames *names, const Program *const *p, int n)
{
    Functions f = {.arena = u->arena, .scratch = arena_new(), .unit = u, .names.arena = u->arena};
    Writer entries = {.text.arena = u->arena};
    Text code = {.arena = u->arena}, all = {.arena = u->arena};
    Names tables = {.arena = u->arena};
    const char *constants = constants_text(&f, p, n, &tables);
    for (int i = 0; i < n; i++) {
        write_blank(&entries);
        entry_write(&entries, u, names, p[i], &f, p, n);
    }
    arena_free(f.scratch);
    text_puts(&code, constants);
    for (int i = 0; i < f.function.n; i++) {
        if (i) text_putc(&code, '\n');
        write_comment(&code, u, f.function.at[i]);
        text_printf(&code, "%s void %s(%s", u->target->lanes > 1 ? "KERNEL" : "static", f.function.at[i]->name, f.function.at[i]->text);
    }
    text_puts(&code, text_string(&entries.text));
    text_printf(&all, "#include \"%s.h\"\n\n", u->net);
    const char *condition = u->suffix ? target_condition(u, u->target) : NULL;
    if (condition) text_printf(&all, "#if %s\n", condition);
    if (u->timed) text_puts(&all, "void netc_mark(int kernel);\n\n");
    text_puts(&all, simd_text(u, code.s));
    text_puts(&all, code.s);
    if (u->target->pragma) text_puts(&all, "\n#if defined(__clang__)\n#pragma clang attribute pop\n#endif\n");
    if (condition) text_printf(&all, "#endif /* %s */\n", condition);
    return all.s;
}

/* NET_forward.c or NET_backward.c; for all targets in one, a version for each and the functions that pick one. */
static void add_code(const Unit *u, Emitted *out, const ApiNames *names, const char *file, const char *what, const Program *const *p, int n)
{
    const char *name = arena_printf(u->arena, "%s_%s%s.c", u->net, file, u->suffix ? u->suffix : "");
    bool multi = target_is_multi(u->target);
    add_file(u, out, name, what, names->hash, multi ? dispatch_text(u, p, n) : code_file(u, names, p, n));
    for (const Target *t = targets; multi && t->name; t++) {
        Unit version = unit_version(u, t);
        if (!target_is_multi(t)) add_code(&version, out, names, file, what, p, n);
    }
}

void emit_unit(const Unit *u, Emitted *out)
{
    ApiNames names = api_names(u);
    const Program *train[TRAIN_PROGRAMS], *infer[2];
    int trains = 0, infers = 0;
    if (u->forward) infer[infers++] = u->forward;
    if (u->next) infer[infers++] = u->next;
    for (int i = 0; i < TRAIN_PROGRAMS; i++)
        if (train_program(u, i)) train[trains++] = train_program(u, i);
    add_file(u, out, arena_printf(u->arena, "%s.h", u->net), "how to call the net.", names.hash, api_header(u, &names));
    if (infers) add_code(u, out, &names, "forward", "inference.", infer, infers);
    if (trains) add_code(u, out, &names, "backward", "evaluation, gradients and training steps.", train, trains);
    weights_write(u, &names, out);
    vocabulary_write(u, &names, out);
    if (u->threads > 1) add_runtime(u, out, "netc_threads");
}

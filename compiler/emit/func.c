/* func.c -- one kernel as one static C function; kernels with the same text share it. */
#include "code.h"

enum {
    PART_CYCLES = 4000,              /* least work of a thread: many times what it costs to hand it over */
    TURN_LEAST = 8192                /* elements that a first cache may not hold */
};

const char *c_type(DType t, bool f64)
{
    static const char *const name[DTYPES] = {[DTYPE_f32] = "float", [DTYPE_i32] = "int32_t", [DTYPE_u8] = "uint8_t"};
    return t == DTYPE_f32 && f64 ? "double" : name[t];
}

static const char *pointer_name(const Buffer *b, bool written)
{
    switch (b->kind) {
    case BUF_param: case BUF_state: case BUF_memory: return name_last(b->name);
    case BUF_gradient: return "gradient";
    case BUF_constant: return "table";
    case BUF_scalar: return b->name;
    default: return written ? "out" : "in";
    }
}

static void add_pointer(Body *b, const Buffer *buffer, bool written)
{
    for (int i = 0; i < b->pointer.n; i++)
        if (b->pointer.at[i].buffer == buffer) {
            b->pointer.at[i].written |= written;
            return;
        }
    Pointer p = {buffer, name_unique(&b->names, pointer_name(buffer, written)), written, 0};
    vec_push(b->arena, &b->pointer, p);
}

static void add_key(Body *b, uint32_t key)
{
    for (int i = 0; i < b->key.n; i++)
        if (b->key.at[i] == key) return;
    vec_push(b->arena, &b->key, key);
    vec_push(b->arena, &b->key_name, name_unique(&b->names, "draw"));
}

static bool is_read(const Nest *n, const Buffer *b)
{
    for (int i = 0; i < n->value.n; i++)
        if (n->value.at[i].kind == EX_load && n->value.at[i].buffer == b) return true;
    return false;
}

static void collect(Body *b)
{
    const Nest *n = b->nest;
    for (int i = 0; i < n->n_axes; i++) name_unique(&b->names, n->axis[i].name);
    if (is_read(n, n->out)) add_pointer(b, n->out, true);
    for (int i = 0; i < n->more.n; i++)
        if (is_read(n, n->more.at[i].out)) add_pointer(b, n->more.at[i].out, true);
    for (int i = 0; i < n->value.n; i++) {
        const Value *v = &n->value.at[i];
        if (!v->in_body && !v->in_result) continue;
        if (v->kind == EX_load) add_pointer(b, v->buffer, false);
        if (v->kind == EX_random) add_key(b, v->key);
    }
    add_pointer(b, n->out, true);
    for (int i = 0; i < n->more.n; i++) add_pointer(b, n->more.at[i].out, true);
}

/* Names of what the plan asks for. */
static void name_derived(Body *b)
{
    const Nest *n = b->nest;
    b->acc = name_unique(&b->names, n->kernel->reduce == REDUCE_sum ? "sum" : n->kernel->reduce == REDUCE_max ? "most" : "least");
    b->reduced = b->acc;
    if (lane_reduces(b)) b->reduced = name_unique(&b->names, "all");
    if (b->plan.pieces) b->last = name_unique(&b->names, "last");
    if (b->plan.panel >= 0) b->panel = name_unique(&b->names, "panel");
    if (b->split.axis < 0) return;
    b->first = name_unique(&b->names, "first");
    b->end = name_unique(&b->names, "end");
}

/* A pointer is to the first element that the kernel names, so that kernels that differ in where they begin are alike. */
static void lift_offsets(Body *b)
{
    Nest *n = b->nest;
    for (int i = 0; i < b->pointer.n; i++) {
        Pointer *p = &b->pointer.at[i];
        p->offset = p->buffer == n->out ? n->store.offset : INT64_MAX;
        for (int k = 0; k < n->more.n; k++)
            if (p->buffer == n->more.at[k].out && n->more.at[k].at.offset < p->offset) p->offset = n->more.at[k].at.offset;
        for (int k = 0; k < n->value.n; k++) {
            const Value *v = &n->value.at[k];
            if (v->kind == EX_load && v->buffer == p->buffer && v->at.offset < p->offset) p->offset = v->at.offset;
        }
        for (int k = 0; k < n->value.n; k++)
            if (n->value.at[k].kind == EX_load && n->value.at[k].buffer == p->buffer) n->value.at[k].at.offset -= p->offset;
        if (p->buffer == n->out) n->store.offset -= p->offset;
        for (int k = 0; k < n->more.n; k++)
            if (p->buffer == n->more.at[k].out) n->more.at[k].at.offset -= p->offset;
    }
}

static void write_parameters(Body *b)
{
    Text t = {.arena = b->arena};
    for (int i = 0; i < b->pointer.n; i++) {
        const Pointer *p = &b->pointer.at[i];
        text_printf(&t, "%s%s%s *%s", i ? ", " : "", p->written ? "" : "const ", c_type(p->buffer->dtype, b->unit->f64), p->name);
    }
    for (int i = 0; i < b->key.n; i++) text_printf(&t, ", Draw %s", b->key_name.at[i]);
    if (b->split.axis >= 0) text_printf(&t, ", int %s, int %s", b->first, b->end);
    text_puts(&b->w.text, t.s);
}

/* What the plan and the text follow from. */
static void body_begin(Body *b, const Functions *f, const Kernel *k)
{
    *b = (Body){.arena = f->scratch, .unit = f->unit, .target = f->unit->target, .w.text.arena = f->scratch, .names.arena = f->scratch};
    b->nest = nest_new(f->scratch, k);
    for (int i = 0; i < AXES_MAX; i++) b->frame[i].count = 1;
    collect(b);
    lift_offsets(b);
}

static uint64_t hash_of(const Text *key) { return hash_bytes(0xcbf29ce484222325u, key->s, (size_t)key->n); }

/* hash: of the key. turn: of the plan, where it has a use for one. */
static void body_plan(Body *b, const Functions *f, uint64_t hash, int turn)
{
    if (f->unit->tiles && body_reduces(b)) b->rank = tiles_rank(f->unit->tiles, b->target, hash);
    plan_choose(b->nest, b->target, b->rank > 0 ? b->rank : 0, &b->plan);
    if (b->plan.pieces) b->plan.turn = turn;
    plan_levels(b->nest, &b->plan);
    split_choose(b->nest, &b->plan, b->target, f->unit->threads, f->unit->part_cycles > 0 ? f->unit->part_cycles : PART_CYCLES, &b->split);
    name_derived(b);
    body_name_values(b);
}

uint64_t kernel_hash(const Unit *u, const Kernel *k)
{
    Functions f = {.arena = u->arena, .scratch = arena_new(), .unit = u, .names.arena = u->arena};
    Body b;
    body_begin(&b, &f, k);
    const Text key = body_key(&b);
    const uint64_t hash = body_reduces(&b) ? hash_of(&key) : 0;
    arena_free(f.scratch);
    return hash;
}

static Call *call_of(Functions *f, const Body *b, const Known *known)
{
    Call *c = NEW(f->arena, Call);
    c->function = f->function.at[known->function];
    c->split = known->split;
    for (int i = 0; i < b->pointer.n; i++) vec_push(f->arena, &c->argument, (Operand){b->pointer.at[i].buffer, b->pointer.at[i].offset, 0});
    for (int i = 0; i < b->key.n; i++) vec_push(f->arena, &c->key, b->key.at[i]);
    arena_clear(f->scratch);
    return c;
}

static const char *function_text(Body *b)
{
    write_parameters(b);
    text_puts(&b->w.text, ")\n{\n");
    b->w.depth = 1;
    body_write(b);
    text_puts(&b->w.text, "}\n");
    return text_string(&b->w.text);
}

static int function_add(Functions *f, const Kernel *k, int rank, const char *text)
{
    Function *function = NEW(f->arena, Function);
    function->text = arena_strdup(f->arena, text);
    function->kernel = k;
    function->rank = rank;
    function->name = name_unique(&f->names, arena_printf(f->arena, "%s_kernel", k->name));
    map_add_name(f->arena, &f->by_text, function->text, f->function.n);
    vec_push(f->arena, &f->function, function);
    return f->function.n - 1;
}

static const Buffer *largest_param(const Expr *e, const Buffer *most)
{
    if (e->kind == EX_load && buffer_memory(e->buffer)->kind == BUF_param && (!most || buffer_memory(e->buffer)->elements > most->elements))
        most = buffer_memory(e->buffer);
    for (int i = 0; i < expr_args[e->kind]; i++) most = largest_param(e->arg[i], most);
    return most;
}

/* What kernel i of a program multiplies by, or NULL where it has no weights or few. */
static const Buffer *weights_of(const Program *p, int i)
{
    const bool sums = i >= 0 && i < p->kernel.n && p->kernel.at[i]->reduce == REDUCE_sum;
    const Buffer *w = sums ? largest_param(p->kernel.at[i]->value, NULL) : NULL;
    return w && w->elements >= TURN_LEAST ? w : NULL;
}

int turn_of(const Program *p, int i, int before)
{
    const Buffer *w = weights_of(p, i);
    if (w && w == weights_of(p, i - 1)) return 3 - before;
    return w && w == weights_of(p, i + 1) ? 1 : 0;
}

/* The function of a kernel whose key is new: that of another with the same text, or one more. */
static int function_like(Functions *f, Body *b, const Kernel *k)
{
    const char *text = function_text(b);
    const int at = map_find_name(&f->by_text, text);
    return at < 0 ? function_add(f, k, b->rank, text) : at;
}

Call *function_of(Functions *f, const Kernel *k, int turn)
{
    Body b;
    body_begin(&b, f, k);
    Text key = body_key(&b);
    const uint64_t hash = hash_of(&key);
    text_add(&key, (const char *)&turn, sizeof turn);
    int at = map_find(&f->by_key, key.s, key.n);
    if (at < 0) {
        body_plan(&b, f, hash, turn);
        at = f->known.n;
        const Known known = {function_like(f, &b, k), b.split};
        vec_push(f->arena, &f->known, known);
        map_add(f->arena, &f->by_key, arena_strndup(f->arena, key.s, key.n), key.n, at);
    }
    const Known *known = &f->known.at[at];
    if (f->function.at[known->function]->kernel != k) vec_push(f->arena, &f->function.at[known->function]->shared, k);
    return call_of(f, &b, known);
}

/* api.c -- the header: structs of weights and state, sizes, prototypes, and how to use them. */
#include "code.h"

#include <string.h>

/* The programs of NET_backward.c, in the order of the file; NULL where the unit has none. */
const Program *train_program(const Unit *u, int i)
{
    const Program *p[TRAIN_PROGRAMS] = {u->evaluate, u->gradient, u->step};
    return p[i];
}

static const Program *trains(const Unit *u) { return u->step ? u->step : u->gradient ? u->gradient : u->evaluate; }

/* ---- structs ---- */

ApiNames api_names(const Unit *u)
{
    ApiNames a = {.hash = hash_bytes(0xcbf29ce484222325u, u->net, strlen(u->net) + 1)};
    Names weight = {.arena = u->arena}, state = {.arena = u->arena};
    a.weight = NEW_ARRAY(u->arena, const char *, u->weights.n + 1);
    a.state = NEW_ARRAY(u->arena, const char *, u->state.n + 1);
    for (int i = 0; i < u->weights.n; i++) {
        const Field *f = &u->weights.at[i];
        a.weight[i] = name_unique(&weight, f->name);
        a.hash = hash_bytes(a.hash, f->name, strlen(f->name) + 1);
        for (int d = 0; d < f->buffer->shape.rank; d++) {   /* as text: the same on every machine */
            const char *s = arena_printf(u->arena, "%lld:%lld", (long long)f->buffer->shape.dim[d], (long long)f->buffer->stride[d]);
            a.hash = hash_bytes(a.hash, s, strlen(s) + 1);
        }
        if (f->buffer->n_digits) {
            Text t = {.arena = u->arena};
            digits_print(&t, f->buffer);
            a.hash = hash_bytes(a.hash, t.s, t.n);
        }
    }
    for (int i = 0; i < u->state.n; i++) a.state[i] = name_unique(&state, u->state.at[i].name);
    for (int of = 0; of < MEMORIES; of++) {
        Names memory = {.arena = u->arena};
        a.memory[of] = NEW_ARRAY(u->arena, const char *, u->memory[of].n + 1);
        for (int i = 0; i < u->memory[of].n; i++) a.memory[of][i] = name_unique(&memory, u->memory[of].at[i].name);
    }
    return a;
}

/* "[6, 1, 5, 5]", and the order of storage where it is not that of the dimensions. */
static const char *shape_comment(const Unit *u, const Buffer *b)
{
    Text t = {.arena = u->arena};
    text_puts(&t, shape_text(u->arena, b->shape));
    if (b->n_digits) {
        digits_print(&t, b);
        return text_string(&t);
    }
    int order[RANK_MAX];
    bool row_major = true;
    for (int d = 0; d < b->shape.rank; d++) {
        int at = d;
        for (; at > 0 && b->stride[order[at - 1]] < b->stride[d]; at--) order[at] = order[at - 1];
        order[at] = d;
        row_major &= at == d;
    }
    if (row_major) return text_string(&t);
    text_puts(&t, " as ");
    Shape stored = {.rank = b->shape.rank};
    for (int d = 0; d < b->shape.rank; d++) stored.dim[d] = b->shape.dim[order[d]];
    text_puts(&t, shape_text(u->arena, stored));
    text_puts(&t, " by dimensions");
    for (int d = 0; d < b->shape.rank; d++) text_printf(&t, " %d", order[d]);
    return text_string(&t);
}

static void write_struct(Writer *w, const Unit *u, const char *name, const Field *field, int n, const char *const *c_names)
{
    write_open(w, "typedef struct %s_%s", u->net, name);
    if (!n) write_text(w, "unsigned char nothing[64] %s_ALIGNED;", name_upper(u->arena, u->net));
    for (int i = 0; i < n; i++) {
        const char *decl = arena_printf(u->arena, "%s %s[%lld] %s_ALIGNED;", c_type(DTYPE_f32, u->f64), c_names[i],
                                        (long long)field[i].buffer->elements, name_upper(u->arena, u->net));
        write_text(w, "%-48s /* %s %s */", decl, field[i].name, shape_comment(u, field[i].buffer));
    }
    w->depth--;
    write_text(w, "} %s_%s;", u->net, name);
    write_blank(w);
}

/* The struct, and the function that begins it. */
static void write_memory(Writer *w, const Unit *u, const ApiNames *names, int of)
{
    static const char *const keeps[MEMORIES] = {[MEMORY_forward] = "forward keeps", [MEMORY_train] = "the training functions keep",
                                                [MEMORY_next] = "next keeps"};
    const Fields *f = &u->memory[of];
    const char *prefix = memory_prefix[of];
    if (!f->n) return;
    write_text(w, "/* What %s from call to call; %s_%sreset begins it. */", keeps[of], u->net, prefix);
    write_struct(w, u, arena_printf(u->arena, "%smemory", prefix), f->at, f->n, names->memory[of]);
    write_open(w, "static inline void %s_%sreset(%s_%smemory *m)", u->net, prefix, u->net, prefix);
    for (int i = 0; i < f->n; i++) {
        Text start = {.arena = u->arena};
        text_real(&start, node_attr(f->at[i].node, ATTR_init)->init.a, u->f64);
        write_text(w, "for (int i = 0; i < %lld; i++) m->%s[i] = %s;", (long long)f->at[i].buffer->elements, names->memory[of][i], start.s);
    }
    write_close(w, NULL);
    write_blank(w);
}

/* ---- sizes ---- */

static void write_size(Writer *w, const Unit *u, const char *what, long long value, const char *comment)
{
    const char *s = arena_printf(u->arena, "#define %s_%s %lld", name_upper(u->arena, u->net), what, value);
    if (comment) write_text(w, "%-48s /* %s */", s, comment);
    else write_text(w, "%s", s);
}

/* Elements of one sample of each input and output; written once for all programs. */
static void write_sizes(Writer *w, const Unit *u, const Program *p, const char *prefix, Names *seen)
{
    Arguments a = api_arguments(u, p);
    for (int i = 0; i < a.at.n; i++) {
        const Argument *x = &a.at.at[i];
        if ((x->kind != ARG_input && x->kind != ARG_output) || api_leaves_out(u, p, x)) continue;
        const char *name = name_upper(u->arena, arena_printf(u->arena, "%s%s", prefix, x->name));
        if (map_find_name(&seen->taken, name) >= 0) continue;
        name_unique(seen, name);
        const Buffer *b = x->buffer;
        bool batched = b->node && b->node->batched && b->shape.rank > 0;
        Shape one = batched ? shape_tail(b->shape) : b->shape;
        const char *comment = arena_printf(u->arena, "%s%s%s", c_type(b->dtype, u->f64), one.rank ? shape_text(u->arena, one) : "",
                                           batched ? " of one sample" : "");
        write_size(w, u, arena_printf(u->arena, "%s_SIZE", name), (long long)shape_elements(one), comment);
    }
}

static int64_t workspace(const Program *p) { return p->workspace_bytes > 64 ? p->workspace_bytes : 64; }

static int64_t train_workspace(const Unit *u)
{
    int64_t most = 64;
    for (int i = 0; i < TRAIN_PROGRAMS; i++) {
        const Program *p = train_program(u, i);
        if (p && workspace(p) > most) most = workspace(p);
    }
    return most;
}

static void write_all_sizes(Writer *w, const Unit *u, const ApiNames *names)
{
    Names seen = {.arena = u->arena};
    write_text(w, "/* Tensors are row-major with the batch in front: element [sample][i][j]... */");
    if (u->forward) write_size(w, u, "BATCH", (long long)u->forward->graph->batch, "samples per call of forward");
    if (trains(u)) write_size(w, u, "TRAIN_BATCH", (long long)trains(u)->graph->batch, "samples per call of evaluate, gradient, step");
    if (u->next) write_size(w, u, "STEPS", (long long)u->next->graph->steps, "of the sequence that forward takes");
    if (u->forward) write_sizes(w, u, u->forward, "", &seen);
    for (int i = 0; i < TRAIN_PROGRAMS; i++)
        if (train_program(u, i)) write_sizes(w, u, train_program(u, i), "", &seen);
    if (u->next) write_sizes(w, u, u->next, "next_", &seen);
    if (u->forward) write_size(w, u, "WORKSPACE_BYTES", (long long)workspace(u->forward), "scratch for forward");
    if (u->next) write_size(w, u, "NEXT_WORKSPACE_BYTES", (long long)workspace(u->next), "scratch for next");
    if (trains(u)) write_size(w, u, "TRAIN_WORKSPACE_BYTES", (long long)train_workspace(u), "scratch for the others");
    write_text(w, "%s", "");
    write_text(w, "#define %s_MODEL_HASH 0x%016llxu /* of the weights' names, shapes and storage */",
               name_upper(u->arena, u->net), (unsigned long long)names->hash);
    write_blank(w);
}

/* ---- functions ---- */

static void write_argument_lines(Writer *w, const Unit *u, const Program *p)
{
    Arguments a = api_arguments(u, p);
    bool train = !program_infers(u, p);
    for (int i = 0; i < a.at.n; i++) {
        const Argument *x = &a.at.at[i];
        if ((x->kind != ARG_input && x->kind != ARG_output) || api_leaves_out(u, p, x)) continue;
        const Buffer *b = x->buffer;
        bool batched = b->node && b->node->batched && b->shape.rank > 0;
        const Attr *low = b->node ? node_attr(b->node, ATTR_low) : NULL, *high = b->node ? node_attr(b->node, ATTR_high) : NULL;
        Shape one = batched ? shape_tail(b->shape) : b->shape;
        Text t = {.arena = u->arena};
        text_printf(&t, "     %-10s %s ", x->name, x->kind == ARG_input ? "in, " : "out,");
        if (batched) text_printf(&t, "[%s_%sBATCH]", name_upper(u->arena, u->net), train ? "TRAIN_" : "");
        for (int d = 0; d < one.rank; d++) text_printf(&t, "[%lld]", (long long)one.dim[d]);
        if (!batched && one.rank == 0) text_puts(&t, "one number");
        if (x->kind == ARG_input && low && high && low->n == 1 && high->n == 1)
            text_printf(&t, ", each from %lld to %lld", (long long)low->ints[0], (long long)high->ints[0] - 1);
        if (p == u->evaluate && !batched) text_puts(&t, ", summed over the first call->valid samples");
        write_text(w, "%s", text_string(&t));
    }
}

/* A metric as a formula over the totals: "total_1 / total_0". Its graph is small. */
static void metric_text(Text *t, const Node *n, bool inside)
{
    static const char *const infix[OP_COUNT] = {[OP_add] = " + ", [OP_sub] = " - ", [OP_mul] = " * ", [OP_div] = " / "};
    double x;
    if (node_is_number(n, &x)) {
        text_printf(t, "%g", x);
    } else if (n->op == OP_scalar) {
        for (const char *c = n->name; *c; c++) text_putc(t, *c == '.' ? '_' : *c);
    } else if (infix[n->op]) {
        text_puts(t, inside ? "(" : "");
        metric_text(t, n->in[0], true);
        text_puts(t, infix[n->op]);
        metric_text(t, n->in[1], true);
        text_puts(t, inside ? ")" : "");
    } else {
        text_printf(t, "%s(", op_info[n->op].name);
        for (int i = 0; i < n->n_in; i++) {
            text_puts(t, i ? ", " : "");
            metric_text(t, n->in[i], false);
        }
        text_putc(t, ')');
    }
}

static void write_metrics(Writer *w, const Program *p)
{
    bool first = true;
    for (int i = 0; i < p->graph->root.n; i++) {
        const Root *r = &p->graph->root.at[i];
        if (r->kind != ROOT_metric) continue;
        if (first) write_text(w, "   From the sums over all batches:");
        first = false;
        Text t = {.arena = w->text.arena};
        metric_text(&t, r->node, false);
        write_text(w, "     %s = %s", r->name, t.s);
    }
}

static void write_prototype(Writer *w, const Unit *u, const Program *p, const char *what)
{
    if (!p) return;
    write_text(w, "/* %s", what);
    write_argument_lines(w, u, p);
    if (p == u->evaluate) write_metrics(w, p);
    write_text(w, "*/");
    write_line(w, "%s;", api_prototype(u, p));
    write_blank(w);
}

static void write_step(Writer *w, const Unit *u, const ApiNames *names)
{
    const char *net = u->net, *upper = name_upper(u->arena, net);
    write_memory(w, u, names, MEMORY_next);
    Text t = {.arena = u->arena};
    text_printf(&t, "One step of the sequence on %s_BATCH samples: the inputs of that step, and what forward gives for it, given the\n   steps before.", upper);
    if (u->memory[MEMORY_next].n) text_printf(&t, " %s_next_reset(m) begins a sequence.", net);
    if (u->next->graph->steps_end)
        text_printf(&t, "\n   At most %s_STEPS steps, which m->steps[0] counts. A call beyond is safe, but gives nothing of use: reset first.", upper);
    write_prototype(w, u, u->next, text_string(&t));
}

static void write_call_struct(Writer *w, const Unit *u)
{
    write_text(w, "/* What changes from call to call. */");
    write_open(w, "typedef struct %s_call", u->net);
    write_text(w, "double rate;      /* step: the learning rate */");
    write_text(w, "int32_t valid;    /* evaluate: how many leading samples of the batch count; the rest is ignored */");
    write_text(w, "uint64_t seed;    /* of everything random (dropout, augmentation, draws); the same in every step of a run */");
    write_text(w, "uint64_t step;    /* calls of step before, from 0: it moves the random numbers and the optimiser's corrections */");
    w->depth--;
    write_text(w, "} %s_call;", u->net);
    write_blank(w);
}

static bool several_losses(const Program *p)
{
    int n = 0;
    for (int i = 0; p && i < p->graph->root.n; i++) n += p->graph->root.at[i].kind == ROOT_loss;
    return n > 1;
}

static void write_training(Writer *w, const Unit *u, const ApiNames *names)
{
    const char *upper = name_upper(u->arena, u->net);
    write_text(w, "/* ---- training: %s_backward.c ---- */", u->net);
    write_blank(w);
    write_text(w, "/* What the optimiser remembers from step to step; all zeros before the first. */");
    write_struct(w, u, "state", u->state.at, u->state.n, names->state);
    write_memory(w, u, names, MEMORY_train);
    write_prototype(w, u, u->step, arena_printf(u->arena,
        "One step of training on %s_TRAIN_BATCH samples: w and s become their new values.%s%s", upper, u->accumulate > 1 ? arena_printf(u->arena,
        "\n   The weights move in each %lldth call, call->step %% %lld == %lld, by the mean gradient of %lld calls; s keeps the sum till then.",
        (long long)u->accumulate, (long long)u->accumulate, (long long)u->accumulate - 1, (long long)u->accumulate) : "", several_losses(u->step) ?
        "\n   The losses follow each other, each from the weights as the one before left them." : ""));
    write_prototype(w, u, u->evaluate, "Loss and metrics of up to one batch, without learning and without dropout. Add the totals up over all\n"
        "   batches; the last batch may be padded with any legal samples, which call->valid leaves out.");
    write_prototype(w, u, u->gradient, several_losses(u->gradient) ?
        "The gradient of each loss by the weights that it trains, without a step. gradient: fields that are\n"
        "   not learnt keep what they held." :
        "The gradient of the loss by the weights, without a step. gradient: fields that are not learnt\n"
        "   keep what they held.");
}

/* ---- weights inside the program ---- */

static void write_embedded(Writer *w, const Unit *u)
{
    const char *net = u->net, *upper = name_upper(u->arena, u->net);
    switch (u->embed) {
    case EMBED_none: return;
    case EMBED_inline:
        write_text(w, "/* The weights, in %s_weights.c. */", net);
        write_text(w, "extern const %s_weights %s_trained;", net, net);
        break;
    case EMBED_string:
        write_text(w, "/* The weights, in %s_weights.c: &%s_trained is a const %s_weights *. Little-endian machines only. */", net, net, net);
        write_text(w, "typedef union %s_packed { unsigned char bytes[sizeof(%s_weights)]; %s_weights weights; } %s_packed;", net, net, net, net);
        write_text(w, "extern const %s_packed %s_trained_packed;", net, net);
        write_text(w, "#define %s_trained (%s_trained_packed.weights)", net, net);
        break;
    case EMBED_incbin:
        write_text(w, "/* The weights: %s_weights.c includes the file %s_weights.bin when it is assembled. Compile it in that file's folder,", net, net);
        write_text(w, "   or with -D%s_WEIGHTS_BIN='\"path/%s_weights.bin\"'. Little-endian machines only. */", upper, net);
        write_text(w, "extern const %s_weights %s_trained;", net, net);
        break;
    case EMBED_file:
        write_text(w, "/* The weights are the file %s_weights.bin. Read it with netc_load of netc_load.h:", net);
        write_text(w, "       static %s_weights weights;", net);
        write_text(w, "       const char *error = netc_load(\"%s_weights.bin\", %s_MODEL_HASH, &weights, sizeof weights);", net, upper);
        write_text(w, "   NULL means that all is well. */");
        break;
    }
    write_blank(w);
}

static void write_vocabulary(Writer *w, const Unit *u)
{
    if (!u->vocabulary || u->embed == EMBED_none) return;
    const char *upper = name_upper(u->arena, u->net);
    write_text(w, "/* What each token stands for, in UTF-8, in %s_vocabulary.c. */", u->net);
    write_text(w, "#define %s_VOCABULARY %d", upper, u->n_vocabulary);
    write_text(w, "extern const char *const %s_vocabulary[%s_VOCABULARY];", u->net, upper);
    write_blank(w);
}

/* ---- the header ---- */

static void write_error(Writer *w, const Unit *u)
{
    if (u->error_bound <= 0 || u->f64) return;
    write_blank(w);
    write_text(w, "   Rounding: %s_forward is within %.1e of its results' size (eight deviations, to first order)%s", u->net, u->error_bound, u->tiled ?
               arena_printf(u->arena, "; %d convolution%s by Winograd's method.", u->tiled, u->tiled > 1 ? "s are" : " is") : ".");
}

static void write_usage(Writer *w, const Unit *u)
{
    const char *net = u->net, *upper = name_upper(u->arena, u->net);
    bool keeps = false;
    for (int of = 0; of < MEMORIES; of++) keeps |= u->memory[of].n > 0;
    write_text(w, "/* How to use it:");
    write_blank(w);
    if (u->forward) {
        Arguments a = api_arguments(u, u->forward);
        write_text(w, "       static _Alignas(64) unsigned char workspace[%s_WORKSPACE_BYTES];", upper);
        for (int i = 0; i < a.at.n; i++) {
            const Argument *x = &a.at.at[i];
            if ((x->kind != ARG_input && x->kind != ARG_output) || api_leaves_out(u, u->forward, x)) continue;
            bool batched = x->buffer->node && x->buffer->node->batched;
            write_text(w, "       %s %s[%s%s%s_%s_SIZE];", c_type(x->buffer->dtype, u->f64), x->name, batched ? upper : "",
                       batched ? "_BATCH * " : "", upper, name_upper(u->arena, x->name));
        }
        if (u->embed == EMBED_none || u->embed == EMBED_file) write_text(w, "       static %s_weights weights;                      fill it", net);
        if (program_takes_call(u, u->forward)) write_text(w, "       const %s_call *call = &(%s_call){ .seed = 1 };", net, net);
        if (u->memory[MEMORY_forward].n) {
            write_text(w, "       static %s_memory memory, *m = &memory;", net);
            write_text(w, "       %s_reset(m);                                      where a sequence begins", net);
        }
        if (u->threads > 1) {
            write_text(w, "       static netc_threads pool, *threads = &pool;       or NULL: alone");
            write_text(w, "       netc_threads_start(threads, %d);", u->threads);
        }
        write_text(w, "       %s_forward(%s%s);", net, u->embed == EMBED_none || u->embed == EMBED_file ? "&weights" :
                   arena_printf(u->arena, "&%s_trained", net), api_call_arguments(u, u->forward) + 1);
        write_blank(w);
    }
    write_text(w, "   All memory is the caller's. Weights, state, gradient and workspace are aligned to 64 bytes (the structs ask for");
    write_text(w, "   that themselves), inputs and outputs as their type is. The workspace may hold anything before a call and holds");
    write_text(w, "   nothing of use behind it. Nothing is allocated%s: threads may run at the same time on the",
               keeps ? ", and what is kept between calls is in m" : " or kept between calls");
    write_text(w, "   same weights, each with its own workspace%s and outputs.", keeps ? ", memory" : "");
    if (u->threads > 1) {
        write_text(w, "   The work of a call is cut for %d threads. Results do not depend on how many there are, to the bit. A netc_threads", u->threads);
        write_text(w, "   serves one call at a time.");
    }
    write_error(w, u);
    write_text(w, "*/");
    write_blank(w);
}

const char *api_header(const Unit *u, const ApiNames *names)
{
    Writer w = {.text.arena = u->arena};
    const char *upper = name_upper(u->arena, u->net);
    write_text(&w, "#ifndef %s_H", upper);
    write_text(&w, "#define %s_H", upper);
    write_blank(&w);
    write_text(&w, "#include <stdint.h>");
    if (u->threads > 1) write_text(&w, "#include \"netc_threads.h\"");
    write_blank(&w);
    write_usage(&w, u);
    write_all_sizes(&w, u, names);
    write_text(&w, "#define %s_ALIGNED __attribute__((aligned(64)))", upper);
    write_blank(&w);
    write_text(&w, "#ifdef __cplusplus");
    write_text(&w, "extern \"C\" {");
    write_text(&w, "#endif");
    write_blank(&w);
    write_text(&w, "/* The parameters. Behind each: its name in the model, its shape, and how it is stored where that is not row-major. */");
    write_struct(&w, u, "weights", u->weights.at, u->weights.n, names->weight);
    write_embedded(&w, u);
    write_vocabulary(&w, u);
    bool draws = u->forward && program_takes_call(u, u->forward), step_draws = u->next && program_takes_call(u, u->next);
    if (trains(u) || draws || step_draws) write_call_struct(&w, u);
    write_memory(&w, u, names, MEMORY_forward);
    if (u->forward)
        write_prototype(&w, u, u->forward, arena_printf(u->arena, "Inference on %s_BATCH samples.%s", upper, !draws ? "" :
            "\n   The net draws random numbers: others for another call->seed or call->step, the same for the same."));
    if (u->next) write_step(&w, u, names);
    if (trains(u)) write_training(&w, u, names);
    write_text(&w, "#ifdef __cplusplus");
    write_text(&w, "}");
    write_text(&w, "#endif");
    write_text(&w, "#endif");
    return text_string(&w.text);
}

/* tokens.c -- text to samples: windows of a running text, or lines with what is behind their ends. */
#include "tokens.h"
#include "cli.h"

#include <inttypes.h>
#include <string.h>

typedef struct Loader {
    Dataset *ds;
    Arena *arena;
    const Program *program;
    const TextPlan *plan;
    const char *file;
    const Buffer *text, *next, *length;      /* NULL: not in this program */
    int64_t width;                           /* tokens of a sample */
    Texts texts;
    Encoder encoder;
} Loader;

const Buffer *input_find(const Program *p, const char *name)
{
    for (int i = 0; name && i < p->buffer.n; i++) {
        const Buffer *b = p->buffer.at[i];
        if (b->kind == BUF_input && !b->base && !strcmp(b->node->name, name)) return b;
    }
    return NULL;
}

/* ---- what the inputs must be ---- */

static const Attr *low_of(const Buffer *b) { return node_attr(b->node, ATTR_low); }
static const Attr *high_of(const Buffer *b) { return node_attr(b->node, ATTR_high); }

static int wrong(const Loader *l, const Buffer *b, const char *what)
{
    Diag *d = l->program->graph->diag;
    diag_error(d, b->node->span, "`%s` must be %s", b->node->name, what);
    diag_note(d, l->plan->span, "it is filled from a text here");
    return EXIT_model;
}

static int check_inputs(Loader *l)
{
    const Buffer *text = l->text, *next = l->next, *length = l->length;
    const int64_t least = l->plan->lines ? -1 : 0;
    if (text->dtype != DTYPE_i32 || text->shape.rank > 2 || !low_of(text) || low_of(text)->ints[0] != 0)
        return wrong(l, text, "`i32[TOKENS] in 0..VOCABULARY`");
    if (next && (next->dtype != DTYPE_i32 || !shape_equal(next->shape, text->shape))) return wrong(l, next, "of the type and shape of the text");
    if (next && low_of(next) && (low_of(next)->ints[0] > least || high_of(next)->ints[0] < high_of(text)->ints[0]))
        return wrong(l, next, least ? "in -1..VOCABULARY: -1 stands behind the end of a line" : "in 0..VOCABULARY, as the text is");
    if (length && (length->dtype != DTYPE_i32 || length->shape.rank > 1)) return wrong(l, length, "`i32`");
    if (length && high_of(length) && (low_of(length)->ints[0] > 1 || high_of(length)->ints[0] <= l->width))
        return wrong(l, length, "able to hold every length, from 1 to the number of tokens");
    return 0;
}

/* ---- vocabularies ---- */

int vocabulary_load(Arena *a, const char *weights, const TextPlan *plan, Vocabulary *out)
{
    Tensors t;
    const char *why = "";
    int status = 0;
    if (!safetensors_load(a, weights, &t, &why, &status)) return fail(status, "%s", why);
    const char *json = tensors_metadata(&t, "vocabulary");
    if (!json) return fail(EXIT_model, "%s: there is no vocabulary beside these weights", weights);
    if (!vocabulary_read(a, json, out, &why)) return fail(EXIT_model, "%s: %s", weights, why);
    if (out->lines == plan->lines) return 0;
    return fail(EXIT_model, "%s: the vocabulary beside these weights is of %s, the net reads %s", weights, out->lines ? "lines" : "running text",
                plan->lines ? "lines" : "running text");
}

int known_vocabulary(Dataset *known, Arena *a, const char *weights, const TextPlan *plan)
{
    if (!plan->text || !weights) return 0;
    Vocabulary *v = NEW(a, Vocabulary);
    known->vocabulary = v;
    return vocabulary_load(a, weights, plan, v);
}

static int find_vocabulary(Loader *l, const Dataset *like)
{
    const int64_t limit = high_of(l->text)->ints[0];
    if (like && like->vocabulary) {
        l->ds->vocabulary = like->vocabulary;
        if (like->vocabulary->piece.at.n <= limit) return 0;
        return fail(EXIT_model, "the vocabulary has %d tokens, but `%s` is in 0..%" PRId64, like->vocabulary->piece.at.n, l->plan->text, limit);
    }
    Vocabulary *v = NEW(l->arena, Vocabulary);
    if (!vocabulary_build(&l->texts, l->plan->lines, l->plan->pieces, limit, v)) return fail(EXIT_model, "%s: %s", l->plan->text, l->texts.in.why);
    l->ds->vocabulary = v;
    return 0;
}

/* ---- columns ---- */

static int32_t *add_column(Loader *l, const Buffer *b, int rank, const int64_t *shape, int64_t shift)
{
    Dataset *ds = l->ds;
    ds->column[ds->n] = array_new(l->arena, ARRAY_i32, rank, shape);
    ds->shift[ds->n] = shift;
    ds->name[ds->n] = b->node->name;
    return ds->column[ds->n++].data;
}

static int cannot_encode(const Loader *l) { return fail(EXIT_model, "%s: %s", l->plan->text, l->encoder.in->why); }

static int cut_windows(Loader *l)
{
    Tokens t = {0};
    if (!encode(&l->encoder, l->texts.at.at[0], &t)) return cannot_encode(l);
    const int64_t n = t.n, follow = l->plan->next != NULL;
    if (n - follow < l->width)
        return fail(EXIT_model, "%s: %s: %" PRId64 " tokens are too few for a window of %" PRId64 "%s", l->plan->text, l->file, n, l->width,
                    follow ? " and the one that follows" : "");
    memcpy(add_column(l, l->text, 1, &n, 0), t.at, (size_t)n * sizeof *t.at);
    if (l->next) memcpy(add_column(l, l->next, 1, &n, 1), t.at, (size_t)n * sizeof *t.at);
    l->ds->window = l->width;
    l->ds->tokens = n - follow;
    l->ds->samples = l->ds->tokens / l->width;
    return 0;
}

/* A line: 0, its tokens, 0; what is behind that is 0 in the text and -1 in what follows. */
static void put_line(const Loader *l, const Tokens *t, int32_t *text, int32_t *next, int32_t *length)
{
    const int64_t width = l->width, n = t->n < width - 1 ? t->n : width - 1;
    for (int64_t i = 0; i < width; i++) {
        text[i] = i > 0 && i <= n ? t->at[i - 1] : 0;
        if (next) next[i] = i < t->n ? t->at[i] : i == t->n ? 0 : -1;
    }
    if (length) *length = (int32_t)(n + 1);
}

static int put_lines(Loader *l)
{
    const int64_t n = l->texts.at.n, shape[] = {n, l->width};
    int64_t longer = 0;
    int32_t *text = add_column(l, l->text, 2, shape, 0);
    int32_t *next = l->next ? add_column(l, l->next, 2, shape, 0) : NULL;
    int32_t *length = l->length ? add_column(l, l->length, 1, shape, 0) : NULL;
    for (int64_t i = 0; i < n; i++) {
        Tokens t = {0};
        if (!encode(&l->encoder, l->texts.at.at[i], &t)) return cannot_encode(l);
        longer += t.n >= l->width;
        put_line(l, &t, text + i * l->width, next ? next + i * l->width : NULL, length ? length + i : NULL);
    }
    if (longer)
        fprintf(stderr, "netc: note: %s: %" PRId64 " of %" PRId64 " lines are longer than %" PRId64 " tokens and are cut\n", l->plan->text,
                longer, n, l->width - 1);
    l->ds->samples = n;
    return 0;
}

int tokens_load(Dataset *ds, Arena *a, const Define *pairs, int n, const Program *p, const Dataset *like, const TextPlan *plan)
{
    Loader l = {.ds = ds, .arena = a, .program = p, .plan = plan, .text = input_find(p, plan->text), .next = input_find(p, plan->next),
                .length = input_find(p, plan->length)};
    const char *why = "";
    if (!l.text) return 0;
    l.width = l.text->shape.rank > 1 ? l.text->shape.dim[1] : 1;
    int status = check_inputs(&l);
    for (int i = 0; i < n; i++)
        if (!strcmp(pairs[i].name, plan->text)) l.file = pairs[i].value;
    if (!status && !l.file) status = fail(EXIT_model, "no text for the input '%s'; give %s=FILE", plan->text, plan->text);
    if (!status && !texts_load(a, l.file, plan->lines, &l.texts, &why, &status)) status = fail(status, "%s: %s", plan->text, why);
    if (!status) status = find_vocabulary(&l, like);
    if (status) return status;
    l.encoder = encoder_new(ds->vocabulary, &l.texts.in);
    return plan->lines ? put_lines(&l) : cut_windows(&l);
}

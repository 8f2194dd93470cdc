/* read.c -- graphs from text: the inverse of print.c, for text that anybody may have written.
   The first error ends the reading, so there is never a cascade. */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reader {
    Arena *arena;
    Diag *diag;
    const Source *source;
    const char *at, *token;   /* next byte; where the last token began */
    bool failed;
    Graph *g;
} Reader;

static void fail(Reader *r, const char *what, const char *detail)
{
    uint32_t begin = r->source->base + (uint32_t)(r->token - r->source->text);
    uint32_t end = r->source->base + (uint32_t)(r->at - r->source->text);
    if (!r->failed) diag_error(r->diag, (Span){begin, end}, "%s%s%s", what, detail ? ": " : "", detail ? detail : "");
    r->failed = true;
}

/* ---- tokens ---- */

static void skip_space(Reader *r)
{
    for (;; r->at++) {
        if (*r->at == '#')
            while (*r->at && *r->at != '\n') r->at++;
        if (!*r->at || !isspace((unsigned char)*r->at)) break;
    }
    r->token = r->at;
}

static char peek(Reader *r)
{
    skip_space(r);
    return r->failed ? '\0' : *r->at;
}

static bool accept(Reader *r, char c)
{
    if (peek(r) != c) return false;
    r->at++;
    return true;
}

static void expect(Reader *r, char c)
{
    if (accept(r, c) || r->failed) return;
    if (*r->at) r->at++;
    fail(r, "expected", (char[]){'\'', c, '\'', '\0'});
}

static size_t word_length(Reader *r)
{
    size_t n = 0;
    if (!isalpha((unsigned char)peek(r)) && *r->at != '_') return 0;
    while (isalnum((unsigned char)r->at[n]) || r->at[n] == '_') n++;
    return n;
}

static const char *read_word(Reader *r)
{
    size_t n = word_length(r);
    if (!n) {
        if (*r->at) r->at++;
        fail(r, "expected a word", NULL);
        return "";
    }
    r->at += n;
    return arena_strndup(r->arena, r->token, n);
}

static bool accept_word(Reader *r, const char *word)
{
    size_t n = word_length(r);
    if (r->failed || n != strlen(word) || strncmp(r->at, word, n)) return false;
    r->at += n;
    return true;
}

static void expect_word(Reader *r, const char *word)
{
    if (!accept_word(r, word)) fail(r, "expected", word);
}

/* The place of a word in a list; 0 after an error. */
static int read_choice(Reader *r, const char *const *names, int n, const char *what)
{
    const char *word = read_word(r);
    for (int i = 0; i < n; i++)
        if (!strcmp(word, names[i])) return i;
    const char *near = did_you_mean(word, names, n);
    fail(r, what, near ? arena_printf(r->arena, "%s (did you mean %s?)", word, near) : word);
    return 0;
}

static int64_t read_int(Reader *r, int64_t low, int64_t high)
{
    char c = peek(r), *end;
    errno = 0;
    long long x = isdigit((unsigned char)c) || c == '-' ? strtoll(r->at, &end, 10) : (end = (char *)r->at, 0);
    bool none = end == r->at;
    r->at = none && *r->at ? end + 1 : end;
    if (none) fail(r, "expected an integer", NULL);
    else if (errno || x < low || x > high)
        fail(r, "expected an integer",
             arena_printf(r->arena, "from %lld to %lld", (long long)low, (long long)high));
    return r->failed ? low : x;
}

static double read_real(Reader *r)
{
    char *end;
    if (!peek(r)) return fail(r, "expected a number", NULL), 0;
    double x = strtod(r->at, &end);
    bool none = end == r->at;
    r->at = none ? end + 1 : end;
    if (none) fail(r, "expected a number", NULL);
    return x;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static const char *read_string(Reader *r)
{
    Text t = {.arena = r->arena};
    expect(r, '"');
    while (!r->failed && *r->at != '"') {
        char c = *r->at++;
        if (!c || c == '\n') {
            r->at--;
            fail(r, "the string does not end", NULL);
        } else if (c != '\\') {
            text_putc(&t, c);
        } else if (*r->at == '"' || *r->at == '\\') {
            text_putc(&t, *r->at++);
        } else {
            int high = *r->at == 'x' ? hex_digit(r->at[1]) : -1, low = high >= 0 ? hex_digit(r->at[2]) : -1;
            if (low < 0 || high + low == 0) {
                fail(r, "unknown escape", NULL);
            } else {
                text_putc(&t, (char)(high * 16 + low));
                r->at += 3;
            }
        }
    }
    if (!r->failed) r->at++;
    return text_string(&t);
}

/* ---- lists ---- */

typedef VEC(int64_t) Ints;
typedef VEC(double) Reals;

/* "[1, 2, 3]" of at most `most` integers. */
static Ints read_ints(Reader *r, int64_t low, int64_t high, int most)
{
    Ints list = {0};
    expect(r, '[');
    while (!r->failed && !accept(r, ']')) {
        if (list.n) expect(r, ',');
        if (list.n == most) fail(r, "the list is too long", NULL);
        vec_push(r->arena, &list, read_int(r, low, high));
    }
    return list;
}

static Reals read_reals(Reader *r)
{
    Reals list = {0};
    expect(r, '[');
    while (!r->failed && !accept(r, ']')) {
        if (list.n) expect(r, ',');
        vec_push(r->arena, &list, read_real(r));
    }
    return list;
}

static Shape read_shape(Reader *r)
{
    Ints dims = read_ints(r, 1, INT32_MAX, RANK_MAX);
    Shape s = {.rank = dims.n};
    for (int d = 0; d < dims.n && !r->failed; d++) s.dim[d] = dims.at[d];
    if (r->failed) s.rank = 0;
    return s;
}

/* ---- index maps ---- */

/* "2*i1", "i4" or "3". */
static Affine read_term(Reader *r)
{
    int64_t coef = 1;
    if (isdigit((unsigned char)peek(r))) {
        coef = read_int(r, 0, INT32_MAX);
        if (!accept(r, '*')) return affine_constant(coef);
    }
    if (!accept(r, 'i')) fail(r, "expected an axis", "i0, i1, ...");
    return affine_scale(affine_axis((int)read_int(r, 0, AXES_MAX - 1)), coef);
}

static Affine read_affine(Reader *r)
{
    Affine sum = affine_constant(0);
    for (bool more = true; more && !r->failed;) {
        int64_t sign = accept(r, '-') ? -1 : 1;
        if (sign > 0) accept(r, '+');
        Affine term = read_term(r);
        if (sum.n == AFFINE_TERMS && term.n && !affine_coef(&sum, term.axis[0])) fail(r, "too many axes in one index", NULL);
        else if (!r->failed) sum = affine_add(sum, affine_scale(term, sign));
        more = peek(r) == '+' || peek(r) == '-';
    }
    return sum;
}

static IndexMap read_map(Reader *r, const char *name)
{
    IndexMap m = {0};
    expect_word(r, name);
    expect(r, '[');
    while (!r->failed && !accept(r, ']')) {
        if (m.rank) expect(r, ',');
        if (m.rank == RANK_MAX) fail(r, "the list is too long", NULL);
        else m.dim[m.rank++] = read_affine(r);
    }
    return m;
}

static Contract *read_contract(Reader *r, Shape s)
{
    Contract *c = NEW(r->arena, Contract);
    Ints extent = read_ints(r, 1, INT32_MAX, AXES_MAX);
    for (int i = 0; i < extent.n && !r->failed; i++) c->extent[c->n_axes++] = extent.at[i];
    c->a = read_map(r, "a");
    c->b = read_map(r, "b");
    c->out = read_map(r, "out");
    c->shape = s;
    return c;
}

/* ---- nodes ---- */

static Init read_init(Reader *r)
{
    Init init = {.kind = (InitKind)read_choice(r, init_names, 3, "no such initialiser")};
    init.a = read_real(r);
    if (init.kind != INIT_constant) init.b = read_real(r);
    return init;
}

static Attr read_attr(Reader *r, const Node *n)
{
    if (accept_word(r, "over")) return (Attr){.name = ATTR_contract, .contract = read_contract(r, n->shape)};
    Attr attr = {.name = (AttrName)read_choice(r, attr_names, ATTR_COUNT, "no such attribute")};
    expect(r, '=');
    if (attr_kinds[attr.name] == KIND_INT || attr_kinds[attr.name] == KIND_INTS) {
        Ints list = {0};
        if (attr_kinds[attr.name] == KIND_INTS) list = read_ints(r, INT32_MIN, INT64_C(1) << 32, INT32_MAX);
        else vec_push(r->arena, &list, read_int(r, INT32_MIN, UINT32_MAX));
        attr.n = list.n;
        attr.ints = list.n ? list.at : NEW(r->arena, int64_t);
    } else if (attr_kinds[attr.name] == KIND_DATA) {
        Reals list = read_reals(r);
        attr.n = list.n;
        attr.data = list.n ? list.at : NEW(r->arena, double);
    } else if (attr_kinds[attr.name] == KIND_INIT) {
        attr.init = read_init(r);
    } else if (attr_kinds[attr.name] == KIND_REAL) {
        attr.real = read_real(r);
    } else {
        fail(r, "a contraction's attribute is written", "over [...] a [...] b [...] out [...]");
    }
    return attr;
}

static void read_attrs(Reader *r, Node *n)
{
    if (!accept(r, '{')) return;
    for (bool first = true; !r->failed && !accept(r, '}'); first = false) {
        if (!first) expect(r, ',');
        Attr attr = read_attr(r, n);
        if (r->failed) return;
        if (node_attr(n, attr.name)) fail(r, "the attribute is there already", attr_names[attr.name]);
        node_set_attr(r->g, n, attr);
    }
}

static void read_layout(Reader *r, Node *n)
{
    if (!accept_word(r, "layout")) return;
    Ints order = read_ints(r, 0, RANK_MAX - 1, RANK_MAX);
    unsigned used = 0;
    for (int d = 0; d < order.n && !r->failed; d++) {
        n->layout[d] = (signed char)order.at[d];
        used |= 1u << order.at[d];
    }
    n->has_layout = true;
    if (order.n != n->shape.rank || used != (1u << n->shape.rank) - 1) fail(r, "the layout is no permutation of the dimensions", NULL);
}

static Node *read_reference(Reader *r)
{
    expect(r, '%');
    int64_t id = read_int(r, 0, INT32_MAX);
    if (r->failed) return NULL;
    if (id < r->g->node.n) return r->g->node.at[id];
    fail(r, "no such node before this one", NULL);
    return NULL;
}

static void read_operands(Reader *r, Node *n)
{
    VEC(Node *) in = {0};
    while (peek(r) == '%') vec_push(r->arena, &in, read_reference(r));
    n->in = in.at;
    n->n_in = in.n;
    if (op_info[n->op].operands >= 0 && in.n != op_info[n->op].operands)
        fail(r, "the number of operands is wrong", op_info[n->op].name);
}

/* The rule must come to what the text says. */
static void check_shape(Reader *r, Node *n)
{
    Node said = *n;
    const char *wrong = r->failed ? NULL : op_info[n->op].shape(r->g, n);
    if (wrong) fail(r, op_info[n->op].name, wrong);
    else if (!r->failed && (n->dtype != said.dtype || n->batched != said.batched || !shape_equal(n->shape, said.shape)))
        fail(r, "the operands and attributes give another type",
             arena_printf(r->arena, "%s%s%s", dtype_name(n->dtype), shape_text(r->arena, n->shape), n->batched ? " batched" : ""));
}

static void read_node(Reader *r)
{
    static const char *const op_names[OP_COUNT] = {
#define OP(name, operands, shape, lower, grad, flags, what) #name,
#include "ops.def"
    };
    Node *n = NEW(r->arena, Node);
    n->id = r->g->node.n;
    expect(r, '%');
    if (read_int(r, 0, INT32_MAX) != n->id) fail(r, "the nodes are not numbered in order", NULL);
    expect(r, '=');
    n->op = (Op)read_choice(r, op_names, OP_COUNT, "no such operator");
    if (peek(r) == '"') n->name = read_string(r);
    read_operands(r, n);
    const char *type = read_word(r);
    if (!dtype_find(type, &n->dtype)) fail(r, "no such type", type);
    n->shape = read_shape(r);
    n->batched = accept_word(r, "batched");
    n->trained = accept_word(r, "trained");
    read_layout(r, n);
    read_attrs(r, n);
    if (peek(r) == '"') n->name = read_string(r);
    check_shape(r, n);
    vec_push(r->arena, &r->g->node, n);
}

/* "[%3 %5]" */
static void read_updates(Reader *r, Root *root)
{
    VEC(Node *) param = {0};
    expect(r, '[');
    while (peek(r) == '%' && !r->failed) vec_push(r->arena, &param, read_reference(r));
    expect(r, ']');
    root->updates = param.at;
    root->n_updates = r->failed ? 0 : param.n;
    root->chooses = true;
}

static void read_root(Reader *r)
{
    Root root = {.kind = (RootKind)read_choice(r, root_names, ROOT_update + 1, "no such root")};
    if (peek(r) == '"') root.name = read_string(r);
    if (root.kind == ROOT_gradient || root.kind == ROOT_update) root.target = read_reference(r);
    if (peek(r) == '[') read_updates(r, &root);
    root.node = read_reference(r);
    const char *wrong = r->failed ? NULL : root_wrong(r->g, &root);
    if (wrong) fail(r, root_names[root.kind], wrong);
    vec_push(r->arena, &r->g->root, root);
}

static void read_head(Reader *r)
{
    expect_word(r, "graph");
    r->g->net = read_string(r);
    r->g->mode = (Mode)read_choice(r, mode_names, MODE_train + 1, "no such mode");
    expect_word(r, "batch");
    expect(r, '=');
    r->g->batch = read_int(r, 1, INT32_MAX);
}

Graph *graph_read(Arena *a, Diag *d, const Source *source)
{
    Reader r = {.arena = a, .diag = d, .source = source, .at = source->text, .token = source->text,
                .g = graph_new(a, d, "", MODE_infer, 1)};
    read_head(&r);
    while (peek(&r) == '%') read_node(&r);
    while (peek(&r)) read_root(&r);
    if (!r.failed && r.at != source->text + source->size) fail(&r, "a zero byte in the text", NULL);
    const char *twice = r.failed ? NULL : repeated_name(r.g);
    if (twice) fail(&r, "two leaves of one kind have this name", twice);
    return r.failed ? NULL : r.g;
}

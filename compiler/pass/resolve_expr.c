/* resolve_expr.c -- expressions: arithmetic of compile-time values and tensors, indices, members, pipes. */
#include "value.h"

#include <math.h>
#include <string.h>

enum { DEPTH_MAX = 400 };

static Value int_binary(Resolver *r, AstOp op, int64_t x, int64_t y, Span span)
{
    int64_t z = 0;
    bool over = false;
    if (op == AOP_add) over = __builtin_add_overflow(x, y, &z);
    else if (op == AOP_sub) over = __builtin_sub_overflow(x, y, &z);
    else if (op == AOP_mul) over = __builtin_mul_overflow(x, y, &z);
    else if (op == AOP_pow) {
        if (y < 0) return value_real(pow((double)x, (double)y));
        z = 1;
        for (int64_t i = 0; i < y && !over && (x > 1 || x < -1 || i < 2); i++) over = __builtin_mul_overflow(z, x, &z);
        if (x == -1 && y > 1) z = y % 2 ? -1 : 1;
    } else if (y == 0 || (x == INT64_MIN && y == -1)) {
        resolve_error(r, span, "division by zero");
        return value_poison();
    } else if (op == AOP_mod) {
        z = x % y;
        if (z && (z < 0) != (y < 0)) z += y;
    } else if (x % y) {
        return (Value){.kind = VALUE_real, .real = (double)x / (double)y, .ratio = true, .integer = x, .divisor = y};
    } else {
        z = x / y;
    }
    if (!over) return value_int(z);
    resolve_error(r, span, "%lld %s %lld is too large for a whole number", (long long)x, ast_op_text(op), (long long)y);
    return value_poison();
}

static Value real_binary(Resolver *r, AstOp op, double x, double y, Span span)
{
    switch (op) {
    case AOP_add: return value_real(x + y);
    case AOP_sub: return value_real(x - y);
    case AOP_mul: return value_real(x * y);
    case AOP_div:
        if (y == 0) {
            resolve_error(r, span, "division by zero");
            return value_poison();
        }
        return value_real(x / y);
    case AOP_mod: return value_real(x - y * floor(x / y));
    case AOP_pow: return value_real(pow(x, y));
    default: return value_poison();
    }
}

static bool compare(AstOp op, int order)
{
    switch (op) {
    case AOP_eq: return order == 0;
    case AOP_ne: return order != 0;
    case AOP_lt: return order < 0;
    case AOP_le: return order <= 0;
    case AOP_gt: return order > 0;
    default: return order >= 0;
    }
}

static bool value_equal(Value x, Value y)
{
    if (value_is_number(x) && value_is_number(y)) return value_number(x) == value_number(y);
    if (x.kind != y.kind) return false;
    if (x.kind == VALUE_bool) return x.integer == y.integer;
    if (x.kind == VALUE_string) return !strcmp(x.text, y.text);
    if (x.kind == VALUE_dtype) return x.dtype == y.dtype;
    if (x.kind != VALUE_list || x.n != y.n) return false;
    for (int i = 0; i < x.n; i++)
        if (!value_equal(x.item[i], y.item[i])) return false;
    return true;
}

static Value tensor_matmul(Resolver *r, Value x, Value y, Span span);

static const struct { AstOp ast; Op op; } tensor_ops[] = {
    {AOP_add, OP_add}, {AOP_sub, OP_sub}, {AOP_mul, OP_mul}, {AOP_div, OP_div}, {AOP_pow, OP_pow}, {AOP_eq, OP_eq},
    {AOP_ne, OP_ne}, {AOP_lt, OP_lt}, {AOP_le, OP_le}, {AOP_gt, OP_gt}, {AOP_ge, OP_ge}};

static Value tensor_binary(Resolver *r, AstOp op, Value x, Value y, Span span)
{
    if (op == AOP_matmul) return tensor_matmul(r, x, y, span);
    const char *what = arena_printf(r->arena, "`%s`", ast_op_text(op));
    Node *a = value_to_node(r, x, span, what, true), *b = value_to_node(r, y, span, what, true);
    if (!a || !b) return value_poison();
    for (size_t i = 0; i < LENGTH(tensor_ops); i++)
        if (tensor_ops[i].ast == op) {
            if (!resolve_broadcast(r, &a, &b, span, what)) return value_poison();
            return value_tensor(node_binary(r->graph, tensor_ops[i].op, a, b));
        }
    resolve_error(r, span, "%s is for compile-time values; a tensor cannot be decided on", what);
    return value_poison();
}

Value resolve_binary(Resolver *r, AstOp op, Value x, Value y, Span span)
{
    if (x.kind == VALUE_poison || y.kind == VALUE_poison) return value_poison();
    bool text = x.kind == VALUE_string || y.kind == VALUE_string;   /* "none" stands for an operand left out */
    if ((x.kind == VALUE_tensor || y.kind == VALUE_tensor) && !(text && (op == AOP_eq || op == AOP_ne))) return tensor_binary(r, op, x, y, span);
    if (op == AOP_eq || op == AOP_ne) return value_bool(value_equal(x, y) == (op == AOP_eq));
    if (op == AOP_add && x.kind == VALUE_list && y.kind == VALUE_list) {
        Value *item = NEW_ARRAY(r->arena, Value, x.n + y.n);
        for (int i = 0; i < x.n + y.n; i++) item[i] = i < x.n ? x.item[i] : y.item[i - x.n];
        return (Value){.kind = VALUE_list, .n = x.n + y.n, .item = item};
    }
    if (!value_is_number(x) || !value_is_number(y)) {
        resolve_error(r, span, "`%s` does not work on %s and %s", ast_op_text(op), value_text(r->arena, x), value_text(r->arena, y));
        return value_poison();
    }
    if (op == AOP_matmul) {
        resolve_error(r, span, "`@` multiplies matrices, not numbers");
        return value_poison();
    }
    double a = value_number(x), b = value_number(y);
    if (op >= AOP_lt && op <= AOP_ge) return value_bool(compare(op, a < b ? -1 : a > b));
    if (x.kind == VALUE_int && y.kind == VALUE_int) return int_binary(r, op, x.integer, y.integer, span);
    return real_binary(r, op, a, b, span);
}

/* x[..., m, k] @ y[..., k, n], batched over what is in front, which broadcasts. */
static Value tensor_matmul(Resolver *r, Value x, Value y, Span span)
{
    Node *a = value_to_node(r, x, span, "`@`", true), *b = value_to_node(r, y, span, "`@`", true);
    if (!a || !b) return value_poison();
    Shape s = sample_shape(a), t = sample_shape(b);
    if (s.rank < 1 || t.rank < 1 || s.dim[s.rank - 1] != t.dim[t.rank > 1 ? t.rank - 2 : 0]) {
        resolve_error(r, span, "`@`: the shapes %s and %s do not fit: the last dimension of the left must be the last but one of the right",
                      shape_text(r->arena, s), shape_text(r->arena, t));
        diag_note(r->diag, a->span, "%s comes from here", shape_text(r->arena, s));
        diag_note(r->diag, b->span, "%s comes from here", shape_text(r->arena, t));
        return value_poison();
    }
    int p = s.rank > 1 ? s.rank - 2 : 0, q = t.rank > 1 ? t.rank - 2 : 0, rank = p > q ? p : q;
    Contract c = {.n_axes = 0};
    int axis = 0;
    bool batched = a->batched || b->batched;
    if (batched) {
        c.extent[0] = r->graph->batch;
        c.out.dim[c.out.rank++] = affine_axis(axis);
        if (a->batched) c.a.dim[c.a.rank++] = affine_axis(axis);
        if (b->batched) c.b.dim[c.b.rank++] = affine_axis(axis);
        axis++;
    }
    for (int i = 0; i < rank; i++) {
        int64_t m = i >= rank - p ? s.dim[i - (rank - p)] : 1, n = i >= rank - q ? t.dim[i - (rank - q)] : 1;
        if (m != n && m != 1 && n != 1) {
            resolve_error(r, span, "`@`: the shapes %s and %s do not fit in front of their last two dimensions",
                          shape_text(r->arena, s), shape_text(r->arena, t));
            return value_poison();
        }
        c.extent[axis] = m > n ? m : n;
        if (i >= rank - p) c.a.dim[c.a.rank++] = m == 1 && n != 1 ? affine_constant(0) : affine_axis(axis);
        if (i >= rank - q) c.b.dim[c.b.rank++] = n == 1 && m != 1 ? affine_constant(0) : affine_axis(axis);
        c.out.dim[c.out.rank++] = affine_axis(axis++);
    }
    if (s.rank > 1) {
        c.extent[axis] = s.dim[s.rank - 2];
        c.a.dim[c.a.rank++] = c.out.dim[c.out.rank++] = affine_axis(axis++);
    }
    if (t.rank > 1) c.extent[axis] = t.dim[t.rank - 1], c.out.dim[c.out.rank++] = affine_axis(axis++);
    c.extent[axis] = s.dim[s.rank - 1];
    c.a.dim[c.a.rank++] = affine_axis(axis);
    c.b.dim[c.b.rank++] = affine_axis(axis);
    if (t.rank > 1) c.b.dim[c.b.rank++] = affine_axis(axis - 1);
    c.n_axes = axis + 1;
    c.shape.rank = c.out.rank;
    for (int d = 0; d < c.out.rank; d++) c.shape.dim[d] = c.extent[c.out.dim[d].axis[0]];
    return value_tensor(node_contract(r->graph, a, b, &c));
}

static Value resolve_unary(Resolver *r, const Ast *e)
{
    Value x = resolve_single(r, e->kid[0]);
    if (x.kind == VALUE_poison) return x;
    if (e->op == AOP_not) {
        bool b;
        return value_to_bool(r, x, e->kid[0]->span, "the operand of `not`", &b) ? value_bool(!b) : value_poison();
    }
    if (x.kind == VALUE_tensor) return value_tensor(node_unary(r->graph, OP_neg, node_cast(r->graph, x.node, DTYPE_f32)));
    if (x.kind == VALUE_int && x.integer != INT64_MIN) return value_int(-x.integer);
    if (x.kind == VALUE_real) {
        x.real = -x.real;
        x.integer = -x.integer;
        return x;
    }
    resolve_error(r, e->span, "`-` does not work on %s", value_text(r->arena, x));
    return value_poison();
}

/* `and` and `or` leave out their right side where the left decides. */
static Value resolve_logic(Resolver *r, const Ast *e)
{
    bool x, y;
    if (!value_to_bool(r, resolve_single(r, e->kid[0]), e->kid[0]->span, "a condition", &x)) return value_poison();
    if (x == (e->op == AOP_or)) return value_bool(x);
    return value_to_bool(r, resolve_single(r, e->kid[1]), e->kid[1]->span, "a condition", &y) ? value_bool(y) : value_poison();
}

static Value resolve_name(Resolver *r, const Ast *e)
{
    Value *v = r->frame ? scope_find(r->frame->scope, e->text) : NULL;
    if (!v) v = scope_find(r->consts, e->text);
    if (v && v->kind == VALUE_missing) {
        resolve_error(r, e->span, "`%s` is used here, but a call of this net does not give it", e->text);
        diag_note(r->diag, net_frame(r)->at, "this call");
        net_frame(r)->refused = true;
        return value_poison();
    }
    if (v) return *v;
    if (!strcmp(e->text, "training")) return value_bool(r->options->mode == MODE_train);
    if (!strcmp(e->text, "evaluating")) return value_bool(r->options->mode == MODE_evaluate);
    if (!strcmp(e->text, "batch_size")) return value_int(r->options->batch);
    if (builtin_find(e->text) && !strcmp(builtin_find(e->text)->formals, "...")) {   /* a bare `zeros` begins a parameter */
        Call c = {.r = r, .span = e->span, .name = e->text};
        return builtin_find(e->text)->call(&c);
    }
    VEC(const char *) names = {0};
    for (Scope *s = r->frame ? r->frame->scope : NULL; s; s = s->up)
        for (int i = 0; i < s->binding.n; i++) vec_push(r->arena, &names, s->binding.at[i].name);
    for (int i = 0; i < r->consts->binding.n; i++) vec_push(r->arena, &names, r->consts->binding.at[i].name);
    const char *near = did_you_mean(e->text, names.at, names.n);
    if (near) resolve_error(r, e->span, "`%s` is not defined; did you mean `%s`?", e->text, near);
    else resolve_error(r, e->span, "`%s` is not defined", e->text);
    return value_poison();
}

static Value shape_list(Resolver *r, Shape s)
{
    Value *item = NEW_ARRAY(r->arena, Value, s.rank);
    for (int d = 0; d < s.rank; d++) item[d] = value_int(s.dim[d]);
    return (Value){.kind = VALUE_list, .n = s.rank, .item = item};
}

static Value resolve_member(Resolver *r, const Ast *e)
{
    Value x = resolve_single(r, e->kid[0]);
    if (x.kind == VALUE_poison) return x;
    Node *n = value_is_number(x) ? node_number(r->graph, 0) : x.node;
    if (n && !strcmp(e->text, "shape")) return shape_list(r, sample_shape(n));
    if (n && !strcmp(e->text, "rank")) return value_int(sample_shape(n).rank);
    if (n && !strcmp(e->text, "dtype")) return (Value){.kind = VALUE_dtype, .dtype = n->dtype};
    resolve_error(r, e->name_span.begin ? e->name_span : e->span, "%s has no `%s`; a tensor has `shape`, `rank` and `dtype`",
                  value_text(r->arena, x), e->text);
    return value_poison();
}

/* One subscript: from, and how many; a single index drops its dimension. Negative ones count from the end. */
static bool resolve_range(Resolver *r, const Ast *sub, int64_t size, int64_t *from, int64_t *count, bool *drop)
{
    int64_t to = size;
    *from = 0;
    *drop = sub->kind != AST_slice;
    if (*drop) {
        if (!value_to_int(r, resolve_single(r, sub), sub->span, "an index", -size, size - 1, from)) return false;
        if (*from < 0) *from += size;
        *count = 1;
        return true;
    }
    if (sub->kid[0] && !value_to_int(r, resolve_single(r, sub->kid[0]), sub->span, "the start of a slice", -size, size, from)) return false;
    if (sub->kid[1] && !value_to_int(r, resolve_single(r, sub->kid[1]), sub->span, "the end of a slice", -size, size, &to)) return false;
    if (*from < 0) *from += size;
    if (to < 0) to += size;
    *count = to - *from;
    if (*count > 0) return true;
    resolve_error(r, sub->span, "this slice is empty: from %lld to %lld", (long long)*from, (long long)to);
    return false;
}

static Value index_list(Resolver *r, const Ast *e, Value x)
{
    int64_t from, count;
    bool drop;
    if (e->n != 2) {
        resolve_error(r, e->span, "a list has one dimension, not %d", e->n - 1);
        return value_poison();
    }
    if (!resolve_range(r, e->kid[1], x.n, &from, &count, &drop)) return value_poison();
    if (drop) return x.item[from];
    return (Value){.kind = VALUE_list, .n = (int)count, .item = x.item + from};
}

static Value resolve_index(Resolver *r, const Ast *e)
{
    Value x = resolve_single(r, e->kid[0]);
    if (x.kind == VALUE_poison) return x;
    if (x.kind == VALUE_list) return index_list(r, e, x);
    if (x.kind != VALUE_tensor || e->n - 1 > sample_shape(x.node).rank) {
        if (x.kind == VALUE_tensor)
            resolve_error(r, e->span, "%d subscripts, but the tensor is %s", e->n - 1, shape_text(r->arena, sample_shape(x.node)));
        else resolve_error(r, e->span, "only tensors and lists have elements, not %s", value_text(r->arena, x));
        return value_poison();
    }
    Node *n = x.node;
    if (e->n == 2 && e->kid[1]->kind != AST_slice) {
        Value rows = resolve_single(r, e->kid[1]);
        if (rows.kind == VALUE_poison) return rows;
        r->graph->span = r->user.begin ? r->user : e->span;
        if (rows.kind == VALUE_tensor) return resolve_gather(r, n, e->kid[0]->span, rows.node, e->kid[1]->span);
    }
    int64_t start[RANK_MAX] = {0};
    Shape box = n->shape, kept = {.rank = 0};
    bool dropped[RANK_MAX] = {false};
    for (int i = 1; i < e->n; i++) {
        int d = i - 1 + n->batched;
        if (!resolve_range(r, e->kid[i], n->shape.dim[d], &start[d], &box.dim[d], &dropped[d])) return value_poison();
    }
    for (int d = 0; d < box.rank; d++)
        if (!dropped[d]) kept.dim[kept.rank++] = box.dim[d];
    r->graph->span = r->user.begin ? r->user : e->span;
    Node *cut = shape_equal(box, n->shape) ? n : node_slice(r->graph, n, start, box);
    return value_tensor(node_reshape(r->graph, cut, kept));
}

static Value resolve_list(Resolver *r, const Ast *e)
{
    Value *item = NEW_ARRAY(r->arena, Value, e->n);
    bool bad = false;
    for (int i = 0; i < e->n; i++) {
        item[i] = resolve_single(r, e->kid[i]);
        bad |= item[i].kind == VALUE_poison;
    }
    return bad ? value_poison() : (Value){.kind = VALUE_list, .n = e->n, .item = item};
}

static Value resolve_ternary(Resolver *r, const Ast *e)
{
    bool c;
    if (!value_to_bool(r, resolve_single(r, e->kid[0]), e->kid[0]->span, "the condition of `?:`", &c)) return value_poison();
    return resolve_expr(r, e->kid[c ? 1 : 2]);
}

static Value resolve_dtype(Resolver *r, const Ast *e)
{
    Value v = {.kind = VALUE_dtype};
    if (dtype_find(e->text, &v.dtype)) return v;
    resolve_error(r, e->span, "the type %s is not yet supported; there are f32, i32 and u8", e->text);
    return value_poison();
}

static Value expr_value(Resolver *r, const Ast *e)
{
    switch (e->kind) {
    case AST_integer: return value_int(e->integer);
    case AST_real: return value_real(e->real);
    case AST_string: return (Value){.kind = VALUE_string, .text = e->text};
    case AST_bool: return value_bool(e->integer != 0);
    case AST_dtype: return resolve_dtype(r, e);
    case AST_name: return resolve_name(r, e);
    case AST_list: return resolve_list(r, e);
    case AST_paren: return resolve_expr(r, e->kid[0]);
    case AST_unary: return resolve_unary(r, e);
    case AST_ternary: return resolve_ternary(r, e);
    case AST_call: return resolve_call(r, e, NULL, NULL, NULL);
    case AST_member: return resolve_member(r, e);
    case AST_index: return resolve_index(r, e);
    case AST_binary: return resolve_logic(r, e);   /* the others are chains */
    default: return value_poison();   /* AST_error: reported by the parser */
    }
}

/* A left-leaning chain of operators or pipes is as deep as it is long: its left sides are evaluated by a loop. */
static Value chain_value(Resolver *r, const Ast *e)
{
    VEC(const Ast *) chain = {0};
    for (; e->kind == AST_binary && e->op != AOP_and && e->op != AOP_or; e = e->kid[0]) vec_push(r->arena, &chain, e);
    Value x = resolve_single(r, e);
    while (chain.n) {
        const Ast *b = chain.at[--chain.n];
        Value y = resolve_single(r, b->kid[1]);
        r->graph->span = r->user.begin ? r->user : b->span;
        x = resolve_binary(r, b->op, x, y, b->span);
    }
    return x;
}

static Value pipes_value(Resolver *r, const Ast *e)
{
    VEC(const Ast *) chain = {0};
    for (; e->kind == AST_pipe; e = e->kid[0]) vec_push(r->arena, &chain, e);
    Value x = resolve_expr(r, e);
    while (chain.n) {
        const Ast *p = chain.at[--chain.n];
        if (x.kind == VALUE_tuple) x = x.item[0];
        x = resolve_call(r, p->kid[1], &x, p->kid[0], p->kid[2]);
    }
    return x;
}

Value resolve_expr(Resolver *r, const Ast *e)
{
    if (r->depth > DEPTH_MAX) {
        resolve_error(r, e->span, "this is nested too deeply");
        return value_poison();
    }
    r->depth++;
    bool chain = e->kind == AST_binary && e->op != AOP_and && e->op != AOP_or;
    Value v = e->kind == AST_pipe ? pipes_value(r, e) : chain ? chain_value(r, e) : expr_value(r, e);
    r->depth--;
    return v;
}

Value resolve_single(Resolver *r, const Ast *e)
{
    Value v = resolve_expr(r, e);
    return v.kind == VALUE_tuple ? v.item[0] : v;
}

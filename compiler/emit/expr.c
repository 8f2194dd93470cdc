/* expr.c -- one value of a kernel as C: infix where C has an operator, else a helper of emit/simd. */
#include "code.h"

#include <stdlib.h>
#include <string.h>

typedef enum Precedence { PREC_ternary, PREC_compare, PREC_add, PREC_mul, PREC_unary, PREC_primary } Precedence;

typedef struct Piece { const char *s; Precedence p; bool vector; } Piece;

/* How each kind is written. infix: between scalars, and (without `mask`) between vectors too.
   function: the helper for vectors; of comparisons it gives a mask. */
static const struct { const char *infix, *function; Precedence p; bool mask; } form[EX_COUNT] = {
    [EX_neg] = {.function = "vneg"},       [EX_exp] = {.function = "vexp"},       [EX_expm1] = {.function = "vexpm1"},
    [EX_log] = {.function = "vlog"},       [EX_log1p] = {.function = "vlog1p"},   [EX_sqrt] = {.function = "vsqrt"},
    [EX_abs] = {.function = "vabs"},       [EX_sin] = {.function = "vsin"},       [EX_cos] = {.function = "vcos"},
    [EX_tanh] = {.function = "vtanh"},     [EX_sigmoid] = {.function = "vsigmoid"}, [EX_erf] = {.function = "verf"},
    [EX_relu] = {.function = "vrelu"},     [EX_floor] = {.function = "vfloor"},   [EX_pow] = {.function = "vpow"},
    [EX_max] = {.function = "vmax"},       [EX_min] = {.function = "vmin"},
    [EX_trunc_i32] = {.function = "vtrunc_i32"}, [EX_trunc_u8] = {.function = "vtrunc_u8"},
    [EX_add] = {.infix = "+", .p = PREC_add}, [EX_sub] = {.infix = "-", .p = PREC_add},
    [EX_mul] = {.infix = "*", .p = PREC_mul}, [EX_div] = {.infix = "/", .p = PREC_mul},
    [EX_eq] = {"==", "veq", PREC_compare, true}, [EX_ne] = {"!=", "vne", PREC_compare, true},
    [EX_lt] = {"<", "vlt", PREC_compare, true},  [EX_le] = {"<=", "vle", PREC_compare, true},
    [EX_gt] = {">", "vgt", PREC_compare, true},  [EX_ge] = {">=", "vge", PREC_compare, true},
};

bool body_reduces(const Body *b) { return b->nest->n_out < b->nest->n_axes; }

static int lanes(const Body *b) { return b->target->lanes; }

/* ---- instances ---- */

const char *instance_name(const Body *b, const char *base, unsigned axes, const int *at)
{
    Text t = {.arena = b->arena};
    text_puts(&t, base);
    for (int i = 0; i < b->nest->n_axes; i++)
        if (axes >> i & 1 && b->frame[i].count > 1) text_printf(&t, "_%d", at[i]);
    return text_string(&t);
}

bool instance_next(const Body *b, unsigned axes, int *at)
{
    for (int i = b->nest->n_axes - 1; i >= 0; i--) {
        if (!(axes >> i & 1)) continue;
        if (++at[i] < b->frame[i].count) return true;
        at[i] = 0;
    }
    return false;
}

int instance_tail(const Body *b, const int *at)
{
    int lane = b->plan.lane;
    return lane >= 0 && at[lane] == b->frame[lane].count - 1 ? b->frame[lane].tail : 0;
}

static const char *row_name(const Body *b, const int *at)
{
    return instance_name(b, b->name[b->nest->pick], b->nest->value.at[b->nest->pick].axes, at);
}

const char *address_text(const Body *b, const Affine *x, const int *at)
{
    Text t = {.arena = b->arena};
    int64_t offset = x->offset;
    for (int i = 0; i < x->n; i++) {
        const Frame *f = &b->frame[x->axis[i]];
        int64_t step = x->axis[i] == b->plan.lane ? lanes(b) : 1;
        offset += x->coef[i] * (f->offset + at[x->axis[i]] * step);
    }
    bool done[AFFINE_TERMS] = {false};
    for (int k = 0; k < x->n; k++) {         /* by falling coefficient: as an index is written */
        int best = -1;
        for (int i = 0; i < x->n; i++)
            if (!done[i] && (best < 0 || llabs(x->coef[i]) > llabs(x->coef[best]))) best = i;
        done[best] = true;
        const char *v = x->axis[best] == PICKED ? row_name(b, at) : b->frame[x->axis[best]].variable;
        int64_t c = x->coef[best];
        if (!v) continue;
        text_puts(&t, c < 0 ? (t.n ? " - " : "-") : t.n ? " + " : "");
        text_puts(&t, v);
        if (llabs(c) != 1) text_printf(&t, " * %lld", llabs(c));
    }
    if (!t.n) text_printf(&t, "%lld", (long long)offset);
    else if (offset) text_printf(&t, " %c %lld", offset < 0 ? '-' : '+', llabs(offset));
    return text_string(&t);
}

/* Rows of the panel are as wide as a full step of the lanes. */
static Affine panel_place(const Body *b, const Value *v)
{
    const Nest *n = b->nest;
    int64_t row = plan_tile(&b->plan, b->target, b->plan.lane);
    Affine x = affine_constant(0);
    for (int k = n->n_axes - 1; k >= n->n_out; k--) {
        const int axis = b->plan.order[k];
        if (!(v->axes >> axis & 1)) continue;
        const Affine along = affine_axis(axis);
        affine_add_scaled(&x, &along, row);
        row *= n->axis[axis].extent;
    }
    return x;
}

int64_t panel_step(const Body *b, const Value *v, int axis)
{
    const Affine x = panel_place(b, v);
    return affine_coef(&x, axis);
}

const char *panel_address(const Body *b, const Value *v, const int *at)
{
    Affine x = panel_place(b, v);
    x.offset = (int64_t)at[b->plan.lane] * lanes(b);
    return address_text(b, &x, at);
}

/* ---- leaves ---- */

static const Pointer *pointer_of(const Body *b, const Buffer *buffer)
{
    for (int i = 0; i < b->pointer.n; i++)
        if (b->pointer.at[i].buffer == buffer) return &b->pointer.at[i];
    internal_error("emit", "no pointer to %s", buffer->name);
}

static const char *type_suffix(DType t) { return t == DTYPE_f32 ? "" : t == DTYPE_i32 ? "_i32" : "_u8"; }

static const char *plus(const Body *b, const char *pointer, const char *address)
{
    if (!strcmp(address, "0")) return pointer;
    return arena_printf(b->arena, address[0] == '-' ? "%s + (%s)" : "%s + %s", pointer, address);
}

const char *value_address(const Body *b, const Value *v, const int *at)
{
    return plus(b, pointer_of(b, v->buffer)->name, address_text(b, &v->at, at));
}

static Piece load(const Body *b, const Value *v, const int *at, bool vector)
{
    if (b->plan.panel >= 0 && v == &b->nest->value.at[b->plan.panel] && !b->packing)
        return (Piece){arena_printf(b->arena, "vload(%s)", plus(b, b->panel, panel_address(b, v, at))), PREC_primary, true};
    const char *p = pointer_of(b, v->buffer)->name, *address = address_text(b, &v->at, at), *type = type_suffix(v->buffer->dtype);
    int64_t step = b->plan.lane >= 0 ? affine_coef(&v->at, b->plan.lane) : 0;
    if (!vector || step == 0) {
        const char *s = arena_printf(b->arena, "%s%s[%s]", *type ? (b->unit->f64 ? "(double)" : "(float)") : "", p, address);
        if (vector) return (Piece){arena_printf(b->arena, "vset1(%s)", s), PREC_primary, true};
        return (Piece){s, *type ? PREC_unary : PREC_primary, false};
    }
    int tail = instance_tail(b, at);
    const char *from = plus(b, p, address);
    const char *s = step == 1 && !tail ? arena_printf(b->arena, "vload%s(%s)", type, from)
                  : step == 1 ? arena_printf(b->arena, "vload_n%s(%s, %d)", type, from, tail)
                  : step == 2 && !*type ? arena_printf(b->arena, "vload_2(%s, %d)", from, tail ? tail : lanes(b))
                  : arena_printf(b->arena, "vload_s%s(%s, %lld, %d)", type, from, (long long)step, tail ? tail : lanes(b));
    return (Piece){s, PREC_primary, true};
}

static Piece number(const Body *b, double x)
{
    Text t = {.arena = b->arena};
    text_real(&t, x, b->unit->f64);
    return (Piece){text_string(&t), t.s[0] == '-' ? PREC_unary : PREC_primary, false};
}

static Piece index_piece(const Body *b, const Value *v, const int *at, bool vector)
{
    const char *address = address_text(b, &v->at, at);
    if (!vector) return (Piece){arena_printf(b->arena, "(%s)(%s)", b->unit->f64 ? "double" : "float", address), PREC_unary, false};
    long long step = affine_coef(&v->at, b->plan.lane);
    return (Piece){arena_printf(b->arena, "vindex(%s, %lld)", address, step), PREC_primary, true};
}

static Piece random_piece(const Body *b, const Value *v, const int *at)
{
    int k = 0;
    while (b->key.at[k] != v->key) k++;
    long long step = b->plan.lane >= 0 ? affine_coef(&v->at, b->plan.lane) : 0;
    const char *s = arena_printf(b->arena, "vrandom(%s, %s, %lld)", b->key_name.at[k], address_text(b, &v->at, at), step);
    return (Piece){s, PREC_primary, lanes(b) > 1};
}

/* ---- operators ---- */

static Piece piece(const Body *b, int value, const int *at, bool fresh);

static const char *at_least(const Body *b, Piece x, Precedence p)
{
    return x.p >= p ? x.s : arena_printf(b->arena, "(%s)", x.s);
}

static const char *as_vector(const Body *b, Piece x)
{
    return x.vector || lanes(b) == 1 ? x.s : arena_printf(b->arena, "vset1(%s)", x.s);
}

static Piece argument(const Body *b, const Value *v, int k, const int *at) { return piece(b, v->arg[k], at, false); }

/* A value that is written in place and is a product: its factors make a fused multiply-add. */
static bool is_product(const Body *b, int value)
{
    return b->nest->value.at[value].kind == EX_mul && !b->name[value] && b->vector[value];
}

static Piece fused(const Body *b, int product, Piece rest, const int *at)
{
    const Value *m = &b->nest->value.at[product];
    return (Piece){arena_printf(b->arena, "vfma(%s, %s, %s)", as_vector(b, argument(b, m, 0, at)),
                                as_vector(b, argument(b, m, 1, at)), as_vector(b, rest)), PREC_primary, true};
}

static Piece infix(const Body *b, const Value *v, const int *at, bool vector)
{
    if (v->kind == EX_add && vector)
        for (int k = 1; k >= 0; k--)
            if (is_product(b, v->arg[k])) return fused(b, v->arg[k], argument(b, v, 1 - k, at), at);
    Precedence p = form[v->kind].p;
    bool commutes = v->kind == EX_add || v->kind == EX_mul;
    Piece x = argument(b, v, 0, at), y = argument(b, v, 1, at);
    const char *left = at_least(b, x, p), *right = at_least(b, y, commutes ? p : p + 1);
    const char *s = arena_printf(b->arena, "%s %s %s", left, form[v->kind].infix, right);
    if (form[v->kind].mask)
        return (Piece){arena_printf(b->arena, "(%s)(%s)", b->unit->f64 ? "double" : "float", s), PREC_unary, false};
    return (Piece){s, p, vector};
}

static const char *mask_text(const Body *b, const Value *v, const int *at)
{
    return arena_printf(b->arena, "%s(%s, %s)", form[v->kind].function, as_vector(b, argument(b, v, 0, at)),
                        as_vector(b, argument(b, v, 1, at)));
}

static Piece where(const Body *b, const Value *v, const int *at, bool vector)
{
    const Value *c = &b->nest->value.at[v->arg[0]];
    bool compare = form[c->kind].mask && !b->name[v->arg[0]];
    Piece x = argument(b, v, 1, at), y = argument(b, v, 2, at);
    if (vector) {
        const char *mask = compare ? mask_text(b, c, at) : arena_printf(b->arena, "vtrue(%s)", as_vector(b, argument(b, v, 0, at)));
        return (Piece){arena_printf(b->arena, "vselect(%s, %s, %s)", mask, as_vector(b, x), as_vector(b, y)), PREC_primary, true};
    }
    const char *condition = compare
        ? arena_printf(b->arena, "%s %s %s", at_least(b, argument(b, c, 0, at), PREC_add), form[c->kind].infix,
                       at_least(b, argument(b, c, 1, at), PREC_add))
        : arena_printf(b->arena, "%s != 0", at_least(b, argument(b, v, 0, at), PREC_add));
    return (Piece){arena_printf(b->arena, "%s ? %s : %s", condition, at_least(b, x, PREC_compare), at_least(b, y, PREC_compare)),
                   PREC_ternary, false};
}

static Piece function(const Body *b, const Value *v, const int *at)
{
    Text t = {.arena = b->arena};
    text_printf(&t, "%s(", form[v->kind].function);
    for (int k = 0; k < expr_args[v->kind]; k++)
        text_printf(&t, "%s%s", k ? ", " : "", as_vector(b, argument(b, v, k, at)));
    text_putc(&t, ')');
    return (Piece){text_string(&t), PREC_primary, lanes(b) > 1};
}

static const char *reduced_name(const Body *b, const Value *v, const int *at)
{
    int step[AXES_MAX];
    int64_t number = (int64_t)v->number;
    memcpy(step, at, sizeof step);
    for (int i = b->nest->n_out - 1; i >= 0 && b->nest->axis[i].kept; i--) {
        step[i] = (int)(number % b->nest->axis[i].extent);
        number /= b->nest->axis[i].extent;
    }
    return instance_name(b, b->reduced, out_axes(b), step);
}

static Piece compute(const Body *b, int value, const int *at)
{
    const Value *v = &b->nest->value.at[value];
    bool vector = b->vector[value];
    switch (v->kind) {
    case EX_constant: return number(b, v->number);
    case EX_load: return load(b, v, at, vector);
    case EX_index: return index_piece(b, v, at, vector);
    case EX_random: return random_piece(b, v, at);
    case EX_reduced: return (Piece){reduced_name(b, v, at), PREC_primary, vector};
    case EX_where: return where(b, v, at, vector);
    case EX_row: return (Piece){arena_printf(b->arena, "vrow(%s, %lld)", value_as_scalar(b, v->arg[0], at), (long long)v->number), PREC_primary, false};
    case EX_neg: {
        Piece x = argument(b, v, 0, at);
        return (Piece){arena_printf(b->arena, "-%s", at_least(b, x, PREC_primary)), PREC_unary, x.vector};
    }
    default:
        if (form[v->kind].mask && vector) return (Piece){arena_printf(b->arena, "vone(%s)", mask_text(b, v, at)), PREC_primary, true};
        return form[v->kind].infix ? infix(b, v, at, vector) : function(b, v, at);
    }
}

static Piece piece(const Body *b, int value, const int *at, bool fresh)
{
    const Value *v = &b->nest->value.at[value];
    if (b->name[value] && !fresh)
        return (Piece){instance_name(b, b->name[value], v->axes, at), PREC_primary, b->vector[value]};
    return compute(b, value, at);
}

const char *value_code(const Body *b, int value, const int *at) { return piece(b, value, at, false).s; }
const char *value_compute(const Body *b, int value, const int *at) { return piece(b, value, at, true).s; }
const char *value_as_vector(const Body *b, int value, const int *at) { return as_vector(b, piece(b, value, at, false)); }

const char *value_as_scalar(const Body *b, int value, const int *at)
{
    Piece x = piece(b, value, at, false);
    return x.vector ? arena_printf(b->arena, "vfirst(%s)", x.s) : x.s;
}

/* ---- names and types ---- */

/* Whether a user that runs at `level` over `axes` wants the value from a variable. */
static bool wants_variable(const Body *b, const Value *v, int level, unsigned axes)
{
    if (v->level < level) return true;
    for (int i = 0; i < b->nest->n_axes; i++)
        if (axes & ~v->axes & 1u << i && b->plan.count[i] > 1) return true;
    return false;
}

/* Who uses the values: of one that is used once, the only user; whether any user is no vector. */
typedef struct Users { int *only; bool *scalar; } Users;

static Users find_users(const Body *b)
{
    const Nest *n = b->nest;
    Users u = {NEW_ARRAY(b->arena, int, n->value.n), NEW_ARRAY(b->arena, bool, n->value.n)};
    for (int i = 0; i < n->value.n; i++) u.only[i] = -1;
    for (int i = 0; i < n->value.n; i++)
        for (int k = 0; k < expr_args[n->value.at[i].kind]; k++) {
            const int used = n->value.at[i].arg[k];
            u.only[used] = i;
            u.scalar[used] |= !b->vector[i];
        }
    return u;
}

static bool needs_variable(const Body *b, const Users *u, int value)
{
    const Nest *n = b->nest;
    const Value *v = &n->value.at[value];
    unsigned all = (1u << n->n_axes) - 1, out = out_axes(b);
    if (v->kind == EX_constant || v->kind == EX_reduced) return false;
    if (v->uses > 1 || value == n->pick || plan_transposes(&b->plan, v) || (b->plan.pieces && value_is_slow(v))) return true;
    if (value == n->body && wants_variable(b, v, n->n_axes, all)) return true;
    if (value == n->result && wants_variable(b, v, n->n_out, out)) return true;
    const int user = u->only[value];
    return user >= 0 && wants_variable(b, v, n->value.at[user].level, n->value.at[user].axes);
}

static bool is_vector(const Body *b, int value)
{
    const Value *v = &b->nest->value.at[value];
    if (lanes(b) == 1 || v->kind == EX_constant || v->kind == EX_row) return false;
    bool lane = b->plan.lane >= 0 && v->axes >> b->plan.lane & 1;
    if (v->kind == EX_load || v->kind == EX_index) return lane;
    if (v->kind == EX_reduced) return b->plan.lane >= 0 && b->plan.lane < b->nest->n_out;
    bool any = false;
    for (int k = 0; k < expr_args[v->kind]; k++) any |= b->vector[v->arg[k]];
    return any || (!form[v->kind].infix && v->kind != EX_where && v->kind != EX_neg);
}

void body_name_values(Body *b)
{
    Nest *n = b->nest;
    b->name = NEW_ARRAY(b->arena, const char *, n->value.n);
    b->vector = NEW_ARRAY(b->arena, bool, n->value.n);
    b->acc_vector = b->plan.lane >= 0;
    for (int i = 0; i < n->value.n; i++) b->vector[i] = is_vector(b, i);
    const Users users = find_users(b);
    int loads = 0, others = 0;
    for (int i = 0; i < n->value.n; i++) {
        if (!needs_variable(b, &users, i)) continue;
        bool load = n->value.at[i].kind == EX_load;
        if (i == n->pick) {
            b->name[i] = name_unique(&b->names, "row");
            continue;
        }
        b->name[i] = name_unique(&b->names, arena_printf(b->arena, load ? "x%d" : "t%d", load ? loads++ : others++));
        /* what only vectors use is broadcast once, where it is loaded */
        if (load && lanes(b) > 1 && b->plan.lane >= 0 && !users.scalar[i] && (i != n->body || b->acc_vector)) b->vector[i] = true;
    }
}

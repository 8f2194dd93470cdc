/* affine.c -- sums of axes times coefficients: the indices of contractions and loops. */
#include "ir.h"

Affine affine_constant(int64_t offset) { return (Affine){.offset = offset}; }

Affine affine_axis(int axis) { return (Affine){.n = 1, .axis = {(int8_t)axis}, .coef = {1}}; }

static void insert_term(Affine *x, int at, int axis, int64_t coef)
{
    if (x->n == AFFINE_TERMS) internal_error("affine", "more than %d axes in one index", AFFINE_TERMS);
    for (int k = x->n++; k > at; k--) x->axis[k] = x->axis[k - 1], x->coef[k] = x->coef[k - 1];
    x->axis[at] = (int8_t)axis;
    x->coef[at] = coef;
}

static void drop_term(Affine *x, int at)
{
    x->n--;
    for (int k = at; k < x->n; k++) x->axis[k] = x->axis[k + 1], x->coef[k] = x->coef[k + 1];
}

void affine_add_scaled(Affine *sum, const Affine *x, int64_t by)
{
    sum->offset += x->offset * by;
    for (int i = 0, at = 0; i < x->n; i++) {
        const int64_t coef = x->coef[i] * by;
        while (at < sum->n && sum->axis[at] < x->axis[i]) at++;
        const bool there = at < sum->n && sum->axis[at] == x->axis[i];
        if (there && sum->coef[at] + coef) sum->coef[at] += coef;
        else if (there) drop_term(sum, at);
        else if (coef) insert_term(sum, at, x->axis[i], coef);
    }
}

Affine affine_add(Affine x, Affine y)
{
    affine_add_scaled(&x, &y, 1);
    return x;
}

Affine affine_scale(Affine x, int64_t by)
{
    if (!by) return affine_constant(0);
    x.offset *= by;
    for (int i = 0; i < x.n; i++) x.coef[i] *= by;
    return x;
}

bool affine_equal(const Affine *x, const Affine *y)
{
    if (x->offset != y->offset || x->n != y->n) return false;
    for (int i = 0; i < x->n; i++)
        if (x->axis[i] != y->axis[i] || x->coef[i] != y->coef[i]) return false;
    return true;
}

int64_t affine_coef(const Affine *x, int axis)
{
    for (int i = 0; i < x->n; i++)
        if (x->axis[i] == axis) return x->coef[i];
    return 0;
}

/* a + b * c, or the end of int64 that it lies beyond: what comes from a file may be any number. */
static int64_t saturated(int64_t a, int64_t b, int64_t c)
{
    int64_t product, sum;
    if (__builtin_mul_overflow(b, c, &product)) return (b < 0) == (c < 0) ? INT64_MAX : INT64_MIN;
    if (__builtin_add_overflow(a, product, &sum)) return a > 0 ? INT64_MAX : INT64_MIN;
    return sum;
}

void affine_range(const Affine *x, const int64_t *extent, int64_t *low, int64_t *high)
{
    *low = *high = x->offset;
    for (int i = 0; i < x->n; i++) {
        int64_t coef = x->coef[i], last = extent[x->axis[i]] - 1;
        if (coef > 0) *high = saturated(*high, coef, last);
        else *low = saturated(*low, coef, last);
    }
}

void affine_print(Text *out, const Affine *x, const char *const *names)
{
    for (int i = 0; i < x->n; i++) {
        int64_t coef = x->coef[i];
        int axis = x->axis[i];
        text_puts(out, i ? coef < 0 ? " - " : " + " : coef < 0 ? "-" : "");
        if (coef != 1 && coef != -1) text_printf(out, "%lld*", (long long)(coef < 0 ? -coef : coef));
        if (names) text_puts(out, names[axis]);
        else text_printf(out, "i%d", axis);
    }
    if (!x->n) text_printf(out, "%lld", (long long)x->offset);
    else if (x->offset > 0) text_printf(out, " + %lld", (long long)x->offset);
    else if (x->offset < 0) text_printf(out, " - %lld", -(long long)x->offset);
}

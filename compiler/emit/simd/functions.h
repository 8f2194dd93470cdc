/* functions.h -- elementary functions of vectors, over the helpers of base.h and of one instruction set. Errors are the
   largest over all floats, in units of the last place; infinities, NaN and denormals give what libm gives. */

HELPER vf vabs(vf x) { return (vf)((vi)x & 0x7fffffff); }

HELPER vf vrelu(vf x) { return vmax(x, (vf){ 0 }); }

#if defined(__clang__)
#define SHUFFLED(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#else
#define SHUFFLED(x, y, ...) __builtin_shuffle(x, y, (vi){ __VA_ARGS__ })
#endif

#if VW == 4
#define EVEN 0, 2, 5, 7
#elif VW == 8
#define EVEN 0, 2, 4, 6, 9, 11, 13, 15
#else
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31
#endif

/* n elements, 2 apart; 0 in the lanes behind them. Nothing behind the last is read. */
HELPER vf vload_2(const float *p, int n)
{
    const vf lo = 2 * n > VW ? vload(p) : vload_n(p, 2 * n - 1);
    const vf hi = n == VW ? vload(p + VW - 1) : 2 * n > VW ? vload_n(p + VW - 1, 2 * n - VW) : (vf){ 0 };
    return SHUFFLED(lo, hi, EVEN);
}

#if VW == 4
#define ZIP_LOW 0, 4, 1, 5
#define ZIP_HIGH 2, 6, 3, 7
#elif VW == 8
#define ZIP_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#else
#define ZIP_LOW 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define ZIP_HIGH 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#endif

/* Rows become columns: x[i] element i of all. Each round takes elements of the first half of the vectors and of the second in turn;
   log2(VW) rounds do it. */
HELPER void vturn(vf *x)
{
    EACH_LANE
    for (int n = 1; n < VW; n *= 2) {
        vf row[VW];
        EACH_LANE
        for (int i = 0; i < VW; i++) row[i] = x[i];
        EACH_LANE
        for (int i = 0; i < VW / 2; i++) {
            x[2 * i] = SHUFFLED(row[i], row[i + VW / 2], ZIP_LOW);
            x[2 * i + 1] = SHUFFLED(row[i], row[i + VW / 2], ZIP_HIGH);
        }
    }
}

/* VW rows of VW elements, `step` apart: x[i] becomes element i of all rows. */
HELPER void vload_block(vf *x, const float *p, int step)
{
    EACH_LANE
    for (int i = 0; i < VW; i++) x[i] = vload(p + i * step);
    vturn(x);
}

/* The same of rows of n elements, which become columns of n rows that are `width` apart. */
HELPER void vpack_block_n(float *out, int width, const float *p, int step, int n)
{
    vf x[VW];
    EACH_LANE
    for (int i = 0; i < VW; i++) x[i] = vload_n(p + i * step, n);
    vturn(x);
    EACH_LANE
    for (int i = 0; i < VW; i++)
        if (i < n) vstore(out + i * width, x[i]);
}

/* VW rows of VW elements, `step` apart, become columns of rows that are `width` apart. */
HELPER void vpack_block(float *out, int width, const float *p, int step)
{
    vf x[VW];
    vload_block(x, p, step);
    EACH_LANE
    for (int i = 0; i < VW; i++) vstore(out + i * width, x[i]);
}

/* x in the first n lanes, `other` behind them. */
HELPER vf vkeep_n(vf x, int n, float other) { return vselect(vlanes() < vset1_i(n), x, vset1(other)); }

/* x = n ln 2 + r, |r| <= ln 2 / 2; gives e^r - 1 by a polynomial, and n + 0x4b400000 in the bits of *n. */
HELPER vf vexp_reduced(vf x, vf *n)
{
    const vf magic = vset1(12582912.0f);
    *n = vfma(x, vset1(1.44269504f), magic);
    const vf k = *n - magic;
    const vf r = vfma(k, vset1(-1.42860677e-6f), vfma(k, vset1(-0.693145752f), x));
    vf p = vset1(0.0013814548709f);
    p = vfma(p, r, vset1(0.0083687155987f));
    p = vfma(p, r, vset1(0.0416683886943f));
    p = vfma(p, r, vset1(0.1666652062773f));
    p = vfma(p, r, vset1(0.4999999344516f));
    return vfma(p, r * r, r);
}

/* e^x, 1.1 ulp. The power of two is applied in halves, so that overflow and denormals come out right. From -176 down both halves are 0:
   a product that underflows takes processors a hundred times as long, and masked scores are -1e30. */
HELPER vf vexp(vf x)
{
    vf bits;
    const vf p = vexp_reduced(vmin(vmax(x, vset1(-176.0f)), vset1(89.0f)), &bits) + 1.0f;
    const vi n = (vi)bits - 0x4b400000, half = n >> 1;
    const vf y = p * (vf)((half + 127) << 23) * (vf)((n - half + 127) << 23);
    return vselect(x == x, y, x);
}

/* e^x from -87 to 88, where it is neither denormal nor infinite. */
HELPER vf vexp_inside(vf x)
{
    vf bits;
    const vf p = vexp_reduced(x, &bits) + 1.0f;
    return p * (vf)(((vi)bits - 0x4b400000 + 127) << 23);
}

/* e^x - 1, 2 ulp. */
HELPER vf vexpm1(vf x)
{
    vf bits;
    const vf p = vexp_reduced(vmin(vmax(x, vset1(-25.0f)), vset1(89.0f)), &bits);
    const vf s = (vf)(((vi)bits - 0x4b400000 + 126) << 23);
    const vf y = vfma(p, s, s - 0.5f) * 2.0f;
    return vselect(x == x, y, x);
}

/* ln x, 1 ulp: x = 2^e m, m from sqrt(1/2) to sqrt(2), f = m - 1. */
HELPER vf vlog(vf x)
{
    const vi small = x < 1.17549435e-38f;
    const vi bits = (vi)vselect(small, x * 8388608.0f, x) - 0x3f3504f3;
    const vf e = __builtin_convertvector((bits >> 23) - (small & 23), vf);
    const vf f = (vf)((bits & 0x7fffff) + 0x3f3504f3) - 1.0f, f2 = f * f;
    vf p = vset1(0.0674628330253f);
    p = vfma(p, f, vset1(-0.1167540300659f));
    p = vfma(p, f, vset1(0.1188818920691f));
    p = vfma(p, f, vset1(-0.1240563263190f));
    p = vfma(p, f, vset1(0.1421955447967f));
    p = vfma(p, f, vset1(-0.1666799348266f));
    p = vfma(p, f, vset1(0.2000211846955f));
    p = vfma(p, f, vset1(-0.2500000963642f));
    p = vfma(p, f, vset1(0.3333331260692f));
    p = vfma(e, vset1(-2.12194440e-4f), f2 * f * p);
    const vf y = vfma(e, vset1(0.693359375f), vfma(f2, vset1(-0.5f), p) + f);
    const vf bad = vselect(x < 0.0f, vset1(NAN), vset1(-INFINITY));
    return vselect(x > 0.0f, vselect(x < INFINITY, y, x), vselect(x == x, bad, x));
}

/* ln(1 + x), 2 ulp: what 1 + x rounded away is put back. */
HELPER vf vlog1p(vf x)
{
    const vf u = 1.0f + x, l = vlog(u);
    return vselect((u > 0.0f) & (u < INFINITY), l + (x - (u - 1.0f)) / u, l);
}

/* 1 / (1 + e^-x), 2.5 ulp. e^-|x| never overflows, so both tails keep their relative accuracy. */
HELPER vf vsigmoid(vf x)
{
    const vf e = vexp(-vabs(x));
    return vselect(x < 0.0f, e, vset1(1.0f)) / (1.0f + e);
}

/* 2.5 ulp: with m = e^(-2|x|) - 1, tanh |x| = -m / (m + 2). */
HELPER vf vtanh(vf x)
{
    const vf m = vexpm1(vabs(x) * -2.0f), y = -m / (m + 2.0f);
    return (vf)((vi)y | ((vi)x & (-2147483647 - 1)));
}

/* 1.2 ulp: x + x p(x^2) below 1, else 1 - e^q with a polynomial q for ln erfc. */
HELPER vf verf(vf x)
{
    const vf a = vabs(x), s = x * x, b = vmin(a, vset1(4.0f));
    vf p = vset1(7.85412032e-5f), q = vset1(-2.16981936e-5f);
    p = vfma(p, s, vset1(-0.000801027759f));
    p = vfma(p, s, vset1(0.00518833816f));
    p = vfma(p, s, vset1(-0.0268538182f));
    p = vfma(p, s, vset1(0.112835853f));
    p = vfma(p, s, vset1(-0.376126258f));
    p = vfma(p, s, vset1(0.128379167f));
    q = vfma(q, b, vset1(0.000441479810f));
    q = vfma(q, b, vset1(-0.00420532167f));
    q = vfma(q, b, vset1(0.0252104428f));
    q = vfma(q, b, vset1(-0.108422268f));
    q = vfma(q, b, vset1(-0.633216236f));
    q = vfma(q, b, vset1(-1.12958040f));
    q = vfma(q, b, vset1(0.000188486046f));
    const vf y = 1.0f - vexp_inside(q);
    return vselect(a >= 1.0f, (vf)((vi)y | ((vi)x & (-2147483647 - 1))), vfma(x, p, x));
}

HELPER vf vsin(vf x)
{
    vf y = x;
    for (int i = 0; i < VW; i++) y[i] = sinf(x[i]);
    return y;
}

HELPER vf vcos(vf x)
{
    vf y = x;
    for (int i = 0; i < VW; i++) y[i] = cosf(x[i]);
    return y;
}

HELPER vf vpow(vf x, vf y)
{
    vf z = x;
    for (int i = 0; i < VW; i++) z[i] = powf(x[i], y[i]);
    return z;
}

/* Random numbers: a hash of seed, step, the operator's key and the element's index; the same on every target. */
HELPER uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

HELPER vu vmix(vu x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

typedef struct Draw { uint32_t a, b; } Draw;

HELPER Draw draw_begin(uint64_t seed, uint64_t step, uint32_t key)
{
    const uint32_t word[5] = { (uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)step, (uint32_t)(step >> 32), key };
    uint32_t h = 0;
    for (int i = 0; i < 5; i++) h = mix((h ^ word[i]) + 0x9e3779b9u);
    const Draw draw = { h, mix(h + 0x9e3779b9u) };
    return draw;
}

/* Uniform in [0, 1) for the elements index, index + lane_step, ... */
HELPER vf vrandom(Draw draw, int index, int lane_step)
{
    const vu i = (vu)(vset1_i(index) + vlanes() * lane_step);
    const vu h = vmix(vmix(i * 0x9e3779b1u + draw.a) ^ draw.b);
    return __builtin_convertvector((vi)(h >> 8), vf) * 5.9604644775390625e-8f;
}

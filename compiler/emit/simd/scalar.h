/* scalar.h -- what every helper means, one element at a time; `real` is float or double, LIBM(exp) is expf or exp. */

static inline real vmax(real x, real y) { return x >= y ? x : y; }

static inline real vmin(real x, real y) { return x <= y ? x : y; }

static inline real vrelu(real x) { return x > 0 ? x : 0; }

static inline real vabs(real x) { return LIBM(fabs)(x); }

static inline real vsqrt(real x) { return LIBM(sqrt)(x); }

static inline real vfloor(real x) { return LIBM(floor)(x); }

static inline real vexp(real x) { return LIBM(exp)(x); }

static inline real vexpm1(real x) { return LIBM(expm1)(x); }

static inline real vlog(real x) { return LIBM(log)(x); }

static inline real vlog1p(real x) { return LIBM(log1p)(x); }

static inline real vtanh(real x) { return LIBM(tanh)(x); }

static inline real verf(real x) { return LIBM(erf)(x); }

static inline real vsin(real x) { return LIBM(sin)(x); }

static inline real vcos(real x) { return LIBM(cos)(x); }

static inline real vpow(real x, real y) { return LIBM(pow)(x, y); }

/* e^-|x| never overflows, so both tails keep their relative accuracy. */
static inline real vsigmoid(real x)
{
    const real e = LIBM(exp)(x < 0 ? x : -x);
    return (x < 0 ? e : 1) / (1 + e);
}

/* Towards zero, and to the nearest value that the type has. */
static inline int32_t to_i32(real x)
{
    if (!(x > (real)-2147483648.0)) return x <= 0 ? INT32_MIN : 0;
    return x < (real)2147483648.0 ? (int32_t)x : INT32_MAX;
}

static inline uint8_t to_u8(real x) { return x >= 255 ? 255 : x >= 1 ? (uint8_t)x : 0; }

static inline real vtrunc_i32(real x) { return (real)to_i32(x); }

static inline real vtrunc_u8(real x) { return (real)to_u8(x); }

/* Random numbers: a hash of seed, step, the operator's key and the element's index; the same on every target. */
static inline uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

typedef struct Draw { uint32_t a, b; } Draw;

static inline Draw draw_begin(uint64_t seed, uint64_t step, uint32_t key)
{
    const uint32_t word[5] = { (uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)step, (uint32_t)(step >> 32), key };
    uint32_t h = 0;
    for (int i = 0; i < 5; i++) h = mix((h ^ word[i]) + 0x9e3779b9u);
    const Draw draw = { h, mix(h + 0x9e3779b9u) };
    return draw;
}

static inline real vrandom(Draw draw, int index, int lane_step)
{
    (void)lane_step;
    return (real)(mix(mix((uint32_t)index * 0x9e3779b1u + draw.a) ^ draw.b) >> 8) * (real)5.9604644775390625e-8;
}

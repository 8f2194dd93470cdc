/* scalar.h -- what every helper means, one element at a time; `fp` is float or double, LIBM(exp) is expf or exp. */

static inline fp vmax(fp x, fp y) { return x >= y ? x : y; }

static inline fp vmin(fp x, fp y) { return x <= y ? x : y; }

static inline fp vrelu(fp x) { return x > 0 ? x : 0; }

static inline fp vabs(fp x) { return LIBM(fabs)(x); }

static inline fp vsqrt(fp x) { return LIBM(sqrt)(x); }

static inline fp vfloor(fp x) { return LIBM(floor)(x); }

static inline fp vexp(fp x) { return LIBM(exp)(x); }

static inline fp vexpm1(fp x) { return LIBM(expm1)(x); }

static inline fp vlog(fp x) { return LIBM(log)(x); }

static inline fp vlog1p(fp x) { return LIBM(log1p)(x); }

static inline fp vtanh(fp x) { return LIBM(tanh)(x); }

static inline fp verf(fp x) { return LIBM(erf)(x); }

static inline fp vsin(fp x) { return LIBM(sin)(x); }

static inline fp vcos(fp x) { return LIBM(cos)(x); }

static inline fp vpow(fp x, fp y) { return LIBM(pow)(x, y); }

/* e^-|x| never overflows, so both tails keep their relative accuracy. */
static inline fp vsigmoid(fp x)
{
    const fp e = LIBM(exp)(x < 0 ? x : -x);
    return (x < 0 ? e : 1) / (1 + e);
}

/* Towards zero, and to the nearest value that the type has. */
static inline int32_t to_i32(fp x)
{
    if (!(x > (fp)-2147483648.0)) return x <= 0 ? INT32_MIN : 0;
    return x < (fp)2147483648.0 ? (int32_t)x : INT32_MAX;
}

static inline uint8_t to_u8(fp x) { return x >= 255 ? 255 : x >= 1 ? (uint8_t)x : 0; }

/* The row that an index names, held inside the table. */
static inline int vrow(fp x, int rows) { return x > 0 ? x < (fp)rows ? (int)x : rows - 1 : 0; }

static inline fp vtrunc_i32(fp x) { return (fp)to_i32(x); }

static inline fp vtrunc_u8(fp x) { return (fp)to_u8(x); }

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

static inline fp vrandom(Draw draw, int index, int lane_step)
{
    (void)lane_step;
    return (fp)(mix(mix((uint32_t)index * 0x9e3779b1u + draw.a) ^ draw.b) >> 8) * (fp)5.9604644775390625e-8;
}

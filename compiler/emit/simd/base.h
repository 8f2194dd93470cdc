/* base.h -- vectors of VW floats by the vector extensions of gcc and clang: types, memory, comparisons. */

#define HELPER static inline __attribute__((always_inline))

/* A function of its own: gcc finds registers for a tile only where it sees nothing else. */
#define KERNEL static __attribute__((noinline))

#if defined(__clang__)
#define EACH_LANE
#else
#define EACH_LANE _Pragma("GCC unroll 16")
#endif

/* Nothing is read before its turn: else compilers read ahead into registers that the sums need. */
#define FENCE __asm__ volatile("" ::: "memory")

/* Memory is asked for a line that is read soon. */
#define PREFETCH(p) __builtin_prefetch(p)

/* Into the second cache, and no nearer. */
#define PREFETCH_L2(p) __builtin_prefetch(p, 0, 2)

typedef float vf __attribute__((vector_size(4 * VW), may_alias));

typedef int32_t vi __attribute__((vector_size(4 * VW), may_alias));

typedef uint32_t vu __attribute__((vector_size(4 * VW), may_alias));

typedef float vf_any __attribute__((vector_size(4 * VW), may_alias, aligned(4)));

typedef int32_t vi_any __attribute__((vector_size(4 * VW), may_alias, aligned(4)));

/* x - 0 keeps the sign of a zero. */
HELPER vf vset1(float x) { return x - (vf){ 0 }; }

HELPER vi vset1_i(int32_t x) { return x - (vi){ 0 }; }

HELPER float vfirst(vf x) { return x[0]; }

HELPER vf vload(const float *p) { return *(const vf_any *)p; }

HELPER void vstore(float *p, vf x) { *(vf_any *)p = x; }

HELPER vf vload_i32(const int32_t *p) { return __builtin_convertvector(*(const vi_any *)p, vf); }

/* n elements, `step` apart; 0 in the lanes behind them. */
HELPER vf vload_s(const float *p, int step, int n)
{
    vf x = { 0 };
    EACH_LANE
    for (int i = 0; i < VW; i++)
        if (i < n) x[i] = p[i * step];
    return x;
}

HELPER vf vload_s_i32(const int32_t *p, int step, int n)
{
    vf x = { 0 };
    EACH_LANE
    for (int i = 0; i < VW; i++)
        if (i < n) x[i] = (float)p[i * step];
    return x;
}

HELPER vf vload_s_u8(const uint8_t *p, int step, int n)
{
    vf x = { 0 };
    EACH_LANE
    for (int i = 0; i < VW; i++)
        if (i < n) x[i] = (float)p[i * step];
    return x;
}

HELPER vf vload_n_i32(const int32_t *p, int n) { return vload_s_i32(p, 1, n); }

HELPER vf vload_n_u8(const uint8_t *p, int n) { return vload_s_u8(p, 1, n); }

HELPER void vstore_s(float *p, int step, int n, vf x)
{
    EACH_LANE
    for (int i = 0; i < VW; i++)
        if (i < n) p[i * step] = x[i];
}

/* The row that an index names, held inside the table. */
HELPER int vrow(float x, int rows) { return x > 0 ? x < (float)rows ? (int)x : rows - 1 : 0; }

/* Towards zero, and to the nearest value that the type has. */
HELPER int32_t to_i32(float x)
{
    if (!(x > -2147483648.0f)) return x <= 0 ? INT32_MIN : 0;
    return x < 2147483648.0f ? (int32_t)x : INT32_MAX;
}

HELPER uint8_t to_u8(float x) { return x >= 255 ? 255 : x >= 1 ? (uint8_t)x : 0; }

HELPER void vstore_s_i32(int32_t *p, int step, int n, vf x)
{
    for (int i = 0; i < n; i++) p[i * step] = to_i32(x[i]);
}

HELPER void vstore_s_u8(uint8_t *p, int step, int n, vf x)
{
    for (int i = 0; i < n; i++) p[i * step] = to_u8(x[i]);
}

/* to_i32 of each lane. */
HELPER vi vto_i32(vf x)
{
    const vi below = x < vset1(-2147483648.0f), beyond = x >= vset1(2147483648.0f);
    const vf inside = (vf)((vi)x & (x == x) & ~(below | beyond));
    return __builtin_convertvector(inside, vi) | (beyond & vset1_i(INT32_MAX)) | (below & vset1_i(INT32_MIN));
}

HELPER void vstore_i32(int32_t *p, vf x) { *(vi_any *)p = vto_i32(x); }

HELPER void vstore_n_i32(int32_t *p, int n, vf x) { vstore_s_i32(p, 1, n, x); }

HELPER void vstore_n_u8(uint8_t *p, int n, vf x) { vstore_s_u8(p, 1, n, x); }

HELPER void vstore_u8(uint8_t *p, vf x) { vstore_s_u8(p, 1, VW, x); }

HELPER vf vtrunc_i32(vf x) { return __builtin_convertvector(vto_i32(x), vf); }

HELPER vf vtrunc_u8(vf x)
{
    vf y = x;
    EACH_LANE
    for (int i = 0; i < VW; i++) y[i] = (float)to_u8(x[i]);
    return y;
}

/* Comparisons give -1 (all bits) or 0 in each lane. */
HELPER vi veq(vf x, vf y) { return x == y; }

HELPER vi vne(vf x, vf y) { return x != y; }

HELPER vi vlt(vf x, vf y) { return x < y; }

HELPER vi vle(vf x, vf y) { return x <= y; }

HELPER vi vgt(vf x, vf y) { return x > y; }

HELPER vi vge(vf x, vf y) { return x >= y; }

HELPER vi vtrue(vf x) { return x != (vf){ 0 }; }

/* 1 or 0 for a comparison. */
HELPER vf vone(vi mask) { return (vf)(mask & (vi)vset1(1.0f)); }

HELPER vi vlanes(void)
{
#if VW == 4
    return (vi){ 0, 1, 2, 3 };
#elif VW == 8
    return (vi){ 0, 1, 2, 3, 4, 5, 6, 7 };
#else
    return (vi){ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
#endif
}

/* index, index + step, ... */
HELPER vf vindex(int index, int step) { return __builtin_convertvector(vset1_i(index) + vlanes() * step, vf); }

/* The larger and the smaller of two numbers. */
HELPER float smax(float x, float y) { return x >= y ? x : y; }

HELPER float smin(float x, float y) { return x <= y ? x : y; }

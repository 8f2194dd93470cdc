/* neon.h -- 64-bit Arm: what the vector extensions do not say well. */

HELPER vf vfma(vf x, vf y, vf z) { return (vf)vfmaq_f32((float32x4_t)z, (float32x4_t)x, (float32x4_t)y); }

HELPER vf vselect(vi mask, vf x, vf y) { return (vf)vbslq_f32((uint32x4_t)mask, (float32x4_t)x, (float32x4_t)y); }

/* As on x86: y where either is not a number. */
HELPER vf vmla(vf x, vf y, vf sum) { return vfma(x, y, sum); }

HELPER vf vmax(vf x, vf y) { return vselect(x > y, x, y); }

HELPER vf vmin(vf x, vf y) { return vselect(x < y, x, y); }

HELPER vf vsqrt(vf x) { return (vf)vsqrtq_f32((float32x4_t)x); }

HELPER vf vfloor(vf x) { return (vf)vrndmq_f32((float32x4_t)x); }

HELPER vf vload_u8(const uint8_t *p) { return vload_s_u8(p, 1, VW); }

/* The first n elements; 0 in the lanes behind them. */
HELPER vf vload_n(const float *p, int n)
{
    vf x = { 0 };
    EACH_LANE
    for (int i = 0; i < VW; i++)
        if (i < n) x[i] = p[i];
    return x;
}

HELPER void vstore_n(float *p, int n, vf x)
{
    EACH_LANE
    for (int i = 0; i < VW; i++)
        if (i < n) p[i] = x[i];
}

HELPER void vstore_2(float *p, int n, vf x) { vstore_s(p, 2, n, x); }

HELPER float hsum(vf x) { return vaddvq_f32((float32x4_t)x); }

HELPER float hmax(vf x) { return smax(smax(x[0], x[1]), smax(x[2], x[3])); }

HELPER float hmin(vf x) { return smin(smin(x[0], x[1]), smin(x[2], x[3])); }

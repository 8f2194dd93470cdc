/* sse.h -- SSE4.1: what the vector extensions do not say well. No fused multiply-add. */

HELPER vf vfma(vf x, vf y, vf z) { return x * y + z; }

HELPER vf vmla(vf x, vf y, vf sum) { return vfma(x, y, sum); }

HELPER vf vmax(vf x, vf y) { return (vf)_mm_max_ps((__m128)x, (__m128)y); }

HELPER vf vmin(vf x, vf y) { return (vf)_mm_min_ps((__m128)x, (__m128)y); }

HELPER vf vselect(vi mask, vf x, vf y) { return (vf)_mm_blendv_ps((__m128)y, (__m128)x, (__m128)mask); }

HELPER vf vsqrt(vf x) { return (vf)_mm_sqrt_ps((__m128)x); }

HELPER vf vfloor(vf x) { return (vf)_mm_floor_ps((__m128)x); }

HELPER vf vload_u8(const uint8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return (vf)_mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(four)));
}

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

HELPER float hsum(vf x)
{
    const __m128 two = _mm_add_ps((__m128)x, _mm_movehl_ps((__m128)x, (__m128)x));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

HELPER float hmax(vf x) { return smax(smax(x[0], x[1]), smax(x[2], x[3])); }

HELPER float hmin(vf x) { return smin(smin(x[0], x[1]), smin(x[2], x[3])); }

/* avx2.h -- AVX2 and FMA: what the vector extensions do not say well. */

HELPER vf vfma(vf x, vf y, vf z) { return (vf)_mm256_fmadd_ps((__m256)x, (__m256)y, (__m256)z); }

/* For the sums of a register tile. gcc would move them from register to register, and then into memory. */
HELPER vf vmla(vf x, vf y, vf sum)
{
#if defined(__clang__)
    return vfma(x, y, sum);
#else
    __asm__("vfmadd231ps %1, %2, %0" : "+x"(sum) : "xm"(y), "x"(x));
    return sum;
#endif
}

HELPER vf vmax(vf x, vf y) { return (vf)_mm256_max_ps((__m256)x, (__m256)y); }

HELPER vf vmin(vf x, vf y) { return (vf)_mm256_min_ps((__m256)x, (__m256)y); }

HELPER vf vselect(vi mask, vf x, vf y) { return (vf)_mm256_blendv_ps((__m256)y, (__m256)x, (__m256)mask); }

HELPER vf vsqrt(vf x) { return (vf)_mm256_sqrt_ps((__m256)x); }

HELPER vf vfloor(vf x) { return (vf)_mm256_floor_ps((__m256)x); }

HELPER vf vload_u8(const uint8_t *p)
{
    int64_t eight;
    memcpy(&eight, p, sizeof eight);
    return (vf)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(eight)));
}

/* n elements, `step` apart; 0 in the lanes behind them. */
HELPER vf vload_s(const float *p, int step, int n)
{
    __m128 four[VW / 4];
    EACH_LANE
    for (int i = 0; i < VW; i += 4)
        four[i / 4] = _mm_setr_ps(i < n ? p[i * step] : 0, i + 1 < n ? p[(i + 1) * step] : 0, i + 2 < n ? p[(i + 2) * step] : 0,
                                  i + 3 < n ? p[(i + 3) * step] : 0);
    return (vf)_mm256_set_m128(four[1], four[0]);
}

/* The first n elements; 0 in the lanes behind them. */
HELPER vf vload_n(const float *p, int n) { return (vf)_mm256_maskload_ps(p, (__m256i)(vlanes() < vset1_i(n))); }

HELPER void vstore_n(float *p, int n, vf x) { _mm256_maskstore_ps(p, (__m256i)(vlanes() < vset1_i(n)), (__m256)x); }

HELPER void vstore_2(float *p, int n, vf x) { vstore_s(p, 2, n, x); }

HELPER float hsum(vf x)
{
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

HELPER float hmax(vf x)
{
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    return smax(smax(four[0], four[1]), smax(four[2], four[3]));
}

HELPER float hmin(vf x)
{
    const __m128 four = _mm_min_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    return smin(smin(four[0], four[1]), smin(four[2], four[3]));
}

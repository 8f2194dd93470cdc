/* avx512.h -- AVX-512 F, VL, BW, DQ: what the vector extensions do not say well. */

HELPER vf vfma(vf x, vf y, vf z) { return (vf)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)z); }

HELPER vf vmla(vf x, vf y, vf sum) { return vfma(x, y, sum); }

HELPER vf vmax(vf x, vf y) { return (vf)_mm512_max_ps((__m512)x, (__m512)y); }

HELPER vf vmin(vf x, vf y) { return (vf)_mm512_min_ps((__m512)x, (__m512)y); }

HELPER vf vselect(vi mask, vf x, vf y)
{
    return (vf)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)mask), (__m512)y, (__m512)x);
}

HELPER vf vsqrt(vf x) { return (vf)_mm512_sqrt_ps((__m512)x); }

HELPER vf vfloor(vf x) { return (vf)_mm512_floor_ps((__m512)x); }

HELPER vf vload_u8(const uint8_t *p)
{
    return (vf)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

HELPER vf vload_n_i32(const int32_t *p, int n)
{
    return (vf)_mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32((__mmask16)((1u << n) - 1), p));
}

/* n elements, `step` apart; 0 in the lanes behind them. */
HELPER vf vload_s(const float *p, int step, int n)
{
    __m128 four[VW / 4];
    EACH_LANE
    for (int i = 0; i < VW; i += 4)
        four[i / 4] = _mm_setr_ps(i < n ? p[i * step] : 0, i + 1 < n ? p[(i + 1) * step] : 0, i + 2 < n ? p[(i + 2) * step] : 0,
                                  i + 3 < n ? p[(i + 3) * step] : 0);
    const __m256 low = _mm256_set_m128(four[1], four[0]), high = _mm256_set_m128(four[3], four[2]);
    return (vf)_mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

/* The first n elements; 0 in the lanes behind them. */
HELPER vf vload_n(const float *p, int n) { return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }

HELPER void vstore_n(float *p, int n, vf x) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)x); }

HELPER void vstore_n_i32(int32_t *p, int n, vf x) { _mm512_mask_storeu_epi32(p, (__mmask16)((1u << n) - 1), (__m512i)vto_i32(x)); }

/* n elements, 2 apart; what lies between them stays. */
HELPER void vstore_2(float *p, int n, vf x)
{
    const vi pairs = { 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7 };
    const uint32_t lanes = 0x55555555u & (n == VW ? ~0u : (1u << 2 * n) - 1);
    _mm512_mask_storeu_ps(p, (__mmask16)lanes, _mm512_permutexvar_ps((__m512i)pairs, (__m512)x));
    if (2 * n > VW) _mm512_mask_storeu_ps(p + VW, (__mmask16)(lanes >> 16), _mm512_permutexvar_ps((__m512i)(pairs + 8), (__m512)x));
}

HELPER float hsum(vf x) { return _mm512_reduce_add_ps((__m512)x); }

HELPER float hmax(vf x) { return _mm512_reduce_max_ps((__m512)x); }

HELPER float hmin(vf x) { return _mm512_reduce_min_ps((__m512)x); }

/* immintrin.h -- for quick tests: what AVX2 needs of gcc's header, which takes 0.4 s to read as a whole, most of it AVX-512. */
#if defined(__clang__) || defined(__AVX512F__)
#include_next <immintrin.h>
#else
#define _IMMINTRIN_H_INCLUDED
#include <smmintrin.h>
#include <avxintrin.h>
#include <avx2intrin.h>
#include <fmaintrin.h>
#endif

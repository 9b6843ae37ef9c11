// For building the peers' near_limit.cpp, which is written for AVX-512, on a processor that has only AVX2: its vectors
// become pairs of vectors, each of its intrinsics two. Included before the source (-include).
#pragma once

#include <immintrin.h>

#include <limits>

namespace near_limit_avx2 {

struct Vector {
  __m256 low, high;
};
using Mask = unsigned;

template <class F>
inline Vector both(F f, Vector a) {
  return {f(a.low), f(a.high)};
}
template <class F>
inline Vector both(F f, Vector a, Vector b) {
  return {f(a.low, b.low), f(a.high, b.high)};
}
template <class F>
inline Vector both(F f, Vector a, Vector b, Vector c) {
  return {f(a.low, b.low, c.low), f(a.high, b.high, c.high)};
}

/// All bits of lane i where bit i of the mask is set.
inline __m256i lanes_of(Mask mask) {
  const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(mask)), bits), bits);
}

inline Vector load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline Vector load(Mask mask, const float* p) {
  return {_mm256_maskload_ps(p, lanes_of(mask)), _mm256_maskload_ps(p + 8, lanes_of(mask >> 8))};
}
inline void store(float* p, Mask mask, Vector v) {
  _mm256_maskstore_ps(p, lanes_of(mask), v.low);
  _mm256_maskstore_ps(p + 8, lanes_of(mask >> 8), v.high);
}
inline Vector where(Mask mask, Vector v, float otherwise) {
  const __m256 other = _mm256_set1_ps(otherwise);
  return {_mm256_blendv_ps(other, v.low, _mm256_castsi256_ps(lanes_of(mask))),
          _mm256_blendv_ps(other, v.high, _mm256_castsi256_ps(lanes_of(mask >> 8)))};
}

template <class F>
inline float reduced(__m256 v, F f) {
  __m128 x = f(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = f(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(f(x, _mm_movehdup_ps(x)));
}
inline float sum(Vector v) {
  return reduced(_mm256_add_ps(v.low, v.high), [](__m128 a, __m128 b) { return _mm_add_ps(a, b); });
}
inline float largest(Vector v) {
  return reduced(_mm256_max_ps(v.low, v.high), [](__m128 a, __m128 b) { return _mm_max_ps(a, b); });
}

/// 2^n for whole n from -126 to 127.
inline __m256 power(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
/// v times 2^n, for whole n from -252 to 254.
inline __m256 scaled(__m256 v, __m256 n) {
  const __m256i whole = _mm256_cvtps_epi32(n);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  return _mm256_mul_ps(_mm256_mul_ps(v, power(half)), power(_mm256_sub_epi32(whole, half)));
}

}  // namespace near_limit_avx2

// clang-format off
#define H5SCORE_BOTH(f, ...) near_limit_avx2::both([](auto... x) { return f(x...); }, __VA_ARGS__)
#define __m512 near_limit_avx2::Vector
#define _mm512_setzero_ps() near_limit_avx2::Vector{_mm256_setzero_ps(), _mm256_setzero_ps()}
#define _mm512_set1_ps(x) near_limit_avx2::Vector{_mm256_set1_ps(x), _mm256_set1_ps(x)}
#define _mm512_loadu_ps(p) near_limit_avx2::load(p)
#define _mm512_maskz_loadu_ps(mask, p) near_limit_avx2::load(mask, p)
#define _mm512_mask_storeu_ps(p, mask, v) near_limit_avx2::store(p, mask, v)
#define _mm512_add_ps(a, b) H5SCORE_BOTH(_mm256_add_ps, a, b)
#define _mm512_sub_ps(a, b) H5SCORE_BOTH(_mm256_sub_ps, a, b)
#define _mm512_mul_ps(a, b) H5SCORE_BOTH(_mm256_mul_ps, a, b)
#define _mm512_div_ps(a, b) H5SCORE_BOTH(_mm256_div_ps, a, b)
#define _mm512_max_ps(a, b) H5SCORE_BOTH(_mm256_max_ps, a, b)
#define _mm512_min_ps(a, b) H5SCORE_BOTH(_mm256_min_ps, a, b)
#define _mm512_fmadd_ps(a, b, c) H5SCORE_BOTH(_mm256_fmadd_ps, a, b, c)
#define _mm512_fnmadd_ps(a, b, c) H5SCORE_BOTH(_mm256_fnmadd_ps, a, b, c)
#define _mm512_scalef_ps(v, n) H5SCORE_BOTH(near_limit_avx2::scaled, v, n)
#define _mm512_roundscale_ps(v, to_whole) near_limit_avx2::both([](__m256 x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }, v)
#define _mm512_reduce_add_ps(v) near_limit_avx2::sum(v)
#define _mm512_reduce_max_ps(v) near_limit_avx2::largest(v)
#define _mm512_mask_reduce_add_ps(mask, v) near_limit_avx2::sum(near_limit_avx2::where(mask, v, 0.0F))
#define _mm512_mask_reduce_max_ps(mask, v) near_limit_avx2::largest(near_limit_avx2::where(mask, v, -std::numeric_limits<float>::infinity()))
// clang-format on

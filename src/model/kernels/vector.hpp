// Vectors of the widest register that the including translation unit is compiled for (GCC/Clang vector extensions).
// Only for the kernel translation units: everything has internal linkage. A multiply-add is fused exactly where fma()
// says so (the files are compiled with -ffp-contract=off), hence AVX2 and AVX-512 give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__FMA__) || defined(__AVX512F__) || defined(__SSE2__)
#include <immintrin.h>
#endif

namespace {

using std::size_t;

#if defined(__AVX512F__)
constexpr size_t kVectorBytes = 64;
constexpr size_t kRowVectors = 4;  // vectors of rows per GEMM block: 4 x 6 accumulators of 32 registers
#elif defined(__AVX2__)
constexpr size_t kVectorBytes = 32;
constexpr size_t kRowVectors = 2;  // 2 x 6 accumulators of 16 registers
#else
constexpr size_t kVectorBytes = 16;
constexpr size_t kRowVectors = 2;
#endif

template <class T>
struct Types;
template <>
struct Types<float> {
  typedef float Vec __attribute__((vector_size(kVectorBytes)));
  typedef std::uint32_t Bits __attribute__((vector_size(kVectorBytes)));
  typedef std::uint32_t Bit;
  typedef std::int32_t Labels __attribute__((vector_size(kVectorBytes)));
  typedef float Half __attribute__((vector_size(kVectorBytes / 2)));
  static constexpr std::uint32_t sign_bit = 0x80000000U;
};
template <>
struct Types<double> {
  typedef double Vec __attribute__((vector_size(kVectorBytes)));
  typedef std::uint64_t Bits __attribute__((vector_size(kVectorBytes)));
  typedef std::uint64_t Bit;
  typedef std::int32_t Labels __attribute__((vector_size(kVectorBytes / 2)));
  static constexpr std::uint64_t sign_bit = 0x8000000000000000U;
};
template <class T>
using Vec = typename Types<T>::Vec;
template <class T>
using Bits = typename Types<T>::Bits;
template <class T>
constexpr size_t kLanes = kVectorBytes / sizeof(T);

#define H5SCORE_INLINE inline __attribute__((always_inline))

template <class T>
H5SCORE_INLINE Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
H5SCORE_INLINE void store(T* p, Vec<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}
template <class T>
H5SCORE_INLINE Vec<T> all(T value) {
  return value - Vec<T>{};
}

#if defined(__AVX2__) && !defined(__AVX512F__)
/// All bits set in the first n lanes.
template <class T>
H5SCORE_INLINE __m256i first_lanes(size_t n) {
  Bits<T> number{};
  for (size_t i = 0; i < kLanes<T>; ++i) number[i] = static_cast<typename Types<T>::Bit>(i);
  return reinterpret_cast<__m256i>(number < static_cast<typename Types<T>::Bit>(n));
}
#endif
/// The first n elements at p, zeros behind them; nothing else is read.
template <class T>
H5SCORE_INLINE Vec<T> load_first(const T* p, size_t n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1), p);
  } else {
    return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1U << n) - 1), p);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm256_maskload_ps(p, first_lanes<T>(n));
  } else {
    return _mm256_maskload_pd(p, first_lanes<T>(n));
  }
#else
  Vec<T> v{};
  __builtin_memcpy(&v, p, n * sizeof(T));
  return v;
#endif
}
/// Writes the first n lanes and nothing else; p may be unaligned.
template <class T>
H5SCORE_INLINE void store_first(unsigned char* p, Vec<T> v, size_t n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == sizeof(float)) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1), v);
  } else {
    _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1U << n) - 1), v);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == sizeof(float)) {
    _mm256_maskstore_ps(reinterpret_cast<float*>(p), first_lanes<T>(n), v);
  } else {
    _mm256_maskstore_pd(reinterpret_cast<double*>(p), first_lanes<T>(n), v);
  }
#else
  __builtin_memcpy(p, &v, n * sizeof(T));
#endif
}

H5SCORE_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__) && defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}
H5SCORE_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__) && defined(__AVX2__)
  return _mm256_fmadd_pd(a, b, c);
#else
  return a * b + c;
#endif
}

template <class T>
H5SCORE_INLINE Bits<T> bits(Vec<T> v) {
  return reinterpret_cast<Bits<T>>(v);
}
template <class T>
H5SCORE_INLINE Vec<T> from_bits(Bits<T> b) {
  return reinterpret_cast<Vec<T>>(b);
}
template <class T>
H5SCORE_INLINE Vec<T> absolute(Vec<T> v) {
  return from_bits<T>(bits<T>(v) & ~(Bits<T>{} + Types<T>::sign_bit));
}
template <class T>
H5SCORE_INLINE Vec<T> with_sign_of(Vec<T> magnitude, Vec<T> sign) {
  const Bits<T> mask = Bits<T>{} + Types<T>::sign_bit;
  return from_bits<T>((bits<T>(magnitude) & ~mask) | (bits<T>(sign) & mask));
}
// The limit wins only if it compares so: a NaN in `v` stays. That is how x86's min and max treat their second operand.
template <class T>
H5SCORE_INLINE Vec<T> at_most(Vec<T> v, Vec<T> limit) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm512_min_ps(limit, v);
  } else {
    return _mm512_min_pd(limit, v);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm256_min_ps(limit, v);
  } else {
    return _mm256_min_pd(limit, v);
  }
#else
  return v > limit ? limit : v;
#endif
}
template <class T>
H5SCORE_INLINE Vec<T> at_least(Vec<T> v, Vec<T> limit) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm512_max_ps(limit, v);
  } else {
    return _mm512_max_pd(limit, v);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm256_max_ps(limit, v);
  } else {
    return _mm256_max_pd(limit, v);
  }
#else
  return v < limit ? limit : v;
#endif
}
/// Whether every lane is 0 (and none NaN).
template <class T>
H5SCORE_INLINE bool all_zero(Vec<T> v) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm512_cmp_ps_mask(v, Vec<T>{}, _CMP_NEQ_UQ) == 0;
  } else {
    return _mm512_cmp_pd_mask(v, Vec<T>{}, _CMP_NEQ_UQ) == 0;
  }
#elif defined(__AVX2__)
  return _mm256_testz_si256(reinterpret_cast<__m256i>(v != 0), reinterpret_cast<__m256i>(v != 0)) != 0;
#else
  bool zero = true;
  for (size_t i = 0; i < kLanes<T>; ++i) zero &= v[i] == 0;
  return zero;
#endif
}
template <class T>
H5SCORE_INLINE Vec<T> square_root(Vec<T> v) {
  for (size_t i = 0; i < kLanes<T>; ++i) {
    if constexpr (sizeof(T) == 4) {
      v[i] = __builtin_sqrtf(v[i]);
    } else {
      v[i] = __builtin_sqrt(v[i]);
    }
  }
  return v;
}

// Vectors as pieces of 16 bytes: what the CPU shuffles cheaply, and loads into place without any shuffle.
template <class T>
constexpr size_t kPiece = 16 / sizeof(T);
/// Piece p from at[p * kPiece<T>] + column.
template <class T>
H5SCORE_INLINE Vec<T> load_pieces(const T* const* at, size_t column) {
#if defined(__AVX512F__) || defined(__AVX2__)
  const auto piece = [&](size_t p) { return _mm_loadu_ps(reinterpret_cast<const float*>(at[p * kPiece<T>] + column)); };
#endif
#if defined(__AVX512F__)
  __m512 v = _mm512_broadcast_f32x4(piece(0));
  v = _mm512_mask_broadcast_f32x4(v, 0x00F0, piece(1));
  v = _mm512_mask_broadcast_f32x4(v, 0x0F00, piece(2));
  v = _mm512_mask_broadcast_f32x4(v, 0xF000, piece(3));
  return reinterpret_cast<Vec<T>>(v);
#elif defined(__AVX2__)
  return reinterpret_cast<Vec<T>>(_mm256_insertf128_ps(_mm256_castps128_ps256(piece(0)), piece(1), 1));
#else
  return load<T>(at[0] + column);
#endif
}

// Lanes 0, L, 1, L + 1, ... of the two vectors (low half of the riffle) and the high half.
#if defined(__clang__)
#define H5SCORE_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define H5SCORE_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, Mask{__VA_ARGS__})
#endif
template <class T>
H5SCORE_INLINE Vec<T> riffle_low(Vec<T> a, Vec<T> b) {
  [[maybe_unused]] typedef Bits<T> Mask;
  if constexpr (kLanes<T> == 16) {
    return H5SCORE_SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  } else if constexpr (kLanes<T> == 8) {
    return H5SCORE_SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  } else if constexpr (kLanes<T> == 4) {
    return H5SCORE_SHUFFLE(a, b, 0, 4, 1, 5);
  } else {
    return H5SCORE_SHUFFLE(a, b, 0, 2);
  }
}
template <class T>
H5SCORE_INLINE Vec<T> riffle_high(Vec<T> a, Vec<T> b) {
  [[maybe_unused]] typedef Bits<T> Mask;
  if constexpr (kLanes<T> == 16) {
    return H5SCORE_SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
  } else if constexpr (kLanes<T> == 8) {
    return H5SCORE_SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
  } else if constexpr (kLanes<T> == 4) {
    return H5SCORE_SHUFFLE(a, b, 2, 6, 3, 7);
  } else {
    return H5SCORE_SHUFFLE(a, b, 1, 3);
  }
}

/// The same within each piece: all pieces of a and b side by side.
template <class T>
H5SCORE_INLINE Vec<T> riffle_pieces_low(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm512_unpacklo_ps(a, b);
  } else {
    return _mm512_unpacklo_pd(a, b);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm256_unpacklo_ps(a, b);
  } else {
    return _mm256_unpacklo_pd(a, b);
  }
#else
  return riffle_low<T>(a, b);
#endif
}
template <class T>
H5SCORE_INLINE Vec<T> riffle_pieces_high(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm512_unpackhi_ps(a, b);
  } else {
    return _mm512_unpackhi_pd(a, b);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm256_unpackhi_ps(a, b);
  } else {
    return _mm256_unpackhi_pd(a, b);
  }
#else
  return riffle_high<T>(a, b);
#endif
}

}  // namespace

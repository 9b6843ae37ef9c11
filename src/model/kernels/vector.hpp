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
  static constexpr std::uint32_t sign_bit = 0x80000000U;
};
template <>
struct Types<double> {
  typedef double Vec __attribute__((vector_size(kVectorBytes)));
  typedef std::uint64_t Bits __attribute__((vector_size(kVectorBytes)));
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
// The second operand of min and max wins only if it compares so: a NaN in `v` stays.
template <class T>
H5SCORE_INLINE Vec<T> at_most(Vec<T> v, Vec<T> limit) {
  return v > limit ? limit : v;
}
template <class T>
H5SCORE_INLINE Vec<T> at_least(Vec<T> v, Vec<T> limit) {
  return v < limit ? limit : v;
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

}  // namespace

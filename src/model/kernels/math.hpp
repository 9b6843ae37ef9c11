// Elementary functions on vectors, in a fixed order of operations. Only for the kernel translation units.
//
// exp, expm1: argument reduction x = n ln2 + r with a two-part ln2 (W. J. Cody, W. Waite: Software Manual for the
//   Elementary Functions, 1980); e^r = 1 + r + r^2 q(r) on |r| <= ln2/2, q a polynomial through Chebyshev nodes
//   (computed with mpmath at 50 digits; error of e^r 1e-8 and 2e-17); scaling by 2^n that rounds once (gradual
//   underflow).
// log1p: log(1+x) = k ln2 + log(m), m in [sqrt(1/2), sqrt(2)), log(m) by the series of 2 atanh(f/(2+f)); the rounding
//   error of 1+x is added as a first-order term (the decomposition that fdlibm documents for its log1p).
// erfc: (1+2z) e^(z^2) erfc(z) as a Chebyshev sum in t = (z-3.75)/(z+3.75) (M. M. Shepherd, J. G. Laframboise,
//   Mathematics of Computation 36, 1981); coefficients computed with mpmath at 50 digits, error 5e-17 and 1.3e-8.
// Largest errors over the whole range, in units in the last place (tests/model/accuracy_test.cpp): exp, elu and log1p
// 1.1, softplus 1.5, sigmoid 1.9, tanh and erf 2.3, silu 2.7, gelu 6 (5e-13 relative in its far tail).
#pragma once

#include "vector.hpp"

namespace {

template <class T>
struct Constants;
template <>
struct Constants<float> {
  static constexpr float magic = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer, in the low bits
  static constexpr unsigned mantissa_bits = 23;
  static constexpr std::uint32_t exponent_bias = 127;
  static constexpr float ln2_high = 0.693359375F, ln2_low = -2.1219444005469057e-4F;
  static constexpr float exp_low = -104.0F, exp_high = 89.0F;
  static constexpr float expm1_low = -40.0F, tanh_limit = 10.0F;
  static constexpr int log_terms = 6;
  static constexpr std::uint32_t smallest_normal_bits = 1U << 23U;
  static constexpr std::uint32_t one_bits = 0x3F800000U, sqrt_half_bits = 0x3F3504F3U;
  static constexpr float integer_base = 8388608.0F;  // 2^23
  static constexpr float exp_q[] = {0.5F, 0.16666577025F, 0.041666554662F, 0.0083631731315F, 0.0013926176191F};
  static constexpr float erfc[] = {1.177578935F,     -0.004590054581F, -0.08424913337F, 0.05920994F,
                                   -0.02665866844F,  0.009074997671F,  -0.00241316354F, 0.0004907758365F,
                                   -6.916973303e-5F, 4.139027986e-6F,  7.740383066e-7F, -2.188640105e-7F};
};
template <>
struct Constants<double> {
  static constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr unsigned mantissa_bits = 52;
  static constexpr std::uint64_t exponent_bias = 1023;
  static constexpr double ln2_high = 0.6931471805592082, ln2_low = 7.371002565167799e-13;  // 39 bits and the rest
  static constexpr double exp_low = -746.0, exp_high = 710.0;
  static constexpr double expm1_low = -80.0, tanh_limit = 22.0;
  static constexpr int log_terms = 12;
  static constexpr std::uint64_t smallest_normal_bits = std::uint64_t{1} << 52U;
  static constexpr std::uint64_t one_bits = 0x3FF0000000000000U, sqrt_half_bits = 0x3FE6A09E667F3BCDU;
  static constexpr double integer_base = 4503599627370496.0;  // 2^52
  static constexpr double exp_q[] = {0.5000000000000001021,     0.1666666666666666745,   0.04166666666662416158,
                                     0.008333333333330064425,   0.001388888891719688114, 0.000198412698630406699,
                                     0.00002480152132211682417, 2.755726848011633485e-6, 2.762007599981065105e-7,
                                     2.510037592470971685e-8};
  static constexpr double erfc[] = {
      1.17757893456740175,       -0.00459005458064647733, -0.0842491333665179156,   0.0592099399981918905,
      -0.0266586684353057523,    0.00907499767070526509,  -0.00241316354041760819,  0.000490775836525808632,
      -0.0000691697330250120637, 4.13902798607301017e-6,  7.74038306619849067e-7,   -2.18864010492343957e-7,
      1.07649994656709104e-8,    4.5219598112182869e-9,   -7.75440020883135111e-10, -6.31808834088668449e-11,
      2.8687950109306699e-11,    1.94558685457773472e-13, -9.65469674843343891e-13, 3.25254814814873984e-14,
      3.34781194828680539e-14,   -1.8645628804193131e-15, -1.25079505306886471e-15, 7.41823525662404346e-17};
};

/// r and n of x = n ln2 + r; `rounded` is n + magic, whose low bits hold n.
template <class T>
struct Reduced {
  Vec<T> r, n, rounded;
};
template <class T>
H5SCORE_INLINE Reduced<T> reduce_ln2(Vec<T> x) {
  using C = Constants<T>;
  const Vec<T> rounded = fma(x, all<T>(static_cast<T>(1.4426950408889634074)), all<T>(C::magic));
  const Vec<T> n = rounded - C::magic;
  const Vec<T> r = fma(n, all<T>(-C::ln2_low), fma(n, all<T>(-C::ln2_high), x));
  return {r, n, rounded};
}
/// e^r - 1 for |r| <= ln2/2.
template <class T>
H5SCORE_INLINE Vec<T> expm1_series(Vec<T> r) {
  constexpr auto& q = Constants<T>::exp_q;
  size_t i = sizeof q / sizeof q[0] - 1;
  Vec<T> p = all<T>(q[i]);
  while (i-- > 0) p = fma(p, r, all<T>(q[i]));
  return fma(p, r * r, r);
}
/// 2^n from n + magic, for n in the range of normal numbers.
template <class T>
H5SCORE_INLINE Vec<T> power_of_two(Vec<T> rounded) {
  using C = Constants<T>;
  return from_bits<T>((bits<T>(rounded) << C::mantissa_bits) + (C::exponent_bias << C::mantissa_bits));
}

/// p 2^n for p in [1/2, 2] and whole n, also where the result is no normal number. In two steps the first is exact:
/// both forms round once.
template <class T>
H5SCORE_INLINE Vec<T> scaled(Vec<T> p, Vec<T> n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == sizeof(float)) {
    return _mm512_scalef_ps(p, n);
  } else {
    return _mm512_scalef_pd(p, n);
  }
#else
  const T magic = Constants<T>::magic;
  const Vec<T> half = n * static_cast<T>(0.5) + magic;
  return p * power_of_two<T>(half) * power_of_two<T>(n - (half - magic) + magic);
#endif
}

/// e^x for x <= 0.
template <class T>
H5SCORE_INLINE Vec<T> exp_negative(Vec<T> x) {
  const Reduced<T> a = reduce_ln2<T>(at_least<T>(x, all<T>(Constants<T>::exp_low)));
  return scaled<T>(1 + expm1_series<T>(a.r), a.n);
}
template <class T>
H5SCORE_INLINE Vec<T> exp(Vec<T> x) {
  return exp_negative<T>(at_most<T>(x, all<T>(Constants<T>::exp_high)));  // as good up to there
}

/// e^x - 1 for x below 50 (all that the functions here need).
template <class T>
H5SCORE_INLINE Vec<T> expm1(Vec<T> x) {
  x = at_least<T>(x, all<T>(Constants<T>::expm1_low));
  const Reduced<T> a = reduce_ln2<T>(x);
  const Vec<T> power = power_of_two<T>(a.rounded);
  return fma(power, expm1_series<T>(a.r), power - 1);
}

template <class T>
H5SCORE_INLINE Vec<T> log1p(Vec<T> x) {
  using C = Constants<T>;
  const Vec<T> u = 1 + x;
  const Vec<T> lost = (x > 1 ? 1 - (u - x) : x - (u - 1)) / u;
  // u = 2^k m; the exponent is read after a shift of the origin to sqrt(1/2)
  const Bits<T> shifted = bits<T>(u) + (C::one_bits - C::sqrt_half_bits);
  const Vec<T> biased = from_bits<T>((shifted >> C::mantissa_bits) | bits<T>(all<T>(C::integer_base)));
  const Vec<T> k = biased - (C::integer_base + static_cast<T>(C::exponent_bias));
  const Bits<T> mantissa = shifted & (C::smallest_normal_bits - 1);
  const Vec<T> f = from_bits<T>(mantissa + C::sqrt_half_bits) - 1;
  const Vec<T> s = f / (2 + f);
  const Vec<T> z = s * s;
  Vec<T> series = all<T>(static_cast<T>(2.0 / (2 * C::log_terms + 1)));
  for (int i = C::log_terms - 1; i >= 1; --i) series = fma(series, z, all<T>(static_cast<T>(2.0 / (2 * i + 1))));
  const Vec<T> half_square = f * f * static_cast<T>(0.5);
  const Vec<T> tail = half_square - fma(s, half_square + z * series, fma(k, all<T>(C::ln2_low), lost));
  const Vec<T> y = fma(k, all<T>(C::ln2_high), f - tail);
  const Vec<T> infinity = all<T>(static_cast<T>(__builtin_inf()));
  const Vec<T> special = x == -1 ? -infinity : (x == infinity ? x : all<T>(static_cast<T>(__builtin_nan(""))));
  return ((x > -1) & (x < infinity)) ? y : special;
}

template <class T>
H5SCORE_INLINE Vec<T> tanh(Vec<T> x) {
  const Vec<T> a = at_most<T>(absolute<T>(x), all<T>(Constants<T>::tanh_limit));
  const Vec<T> t = expm1<T>(a + a);
  return with_sign_of<T>(t / (t + 2), x);
}

template <class T>
H5SCORE_INLINE Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> e = exp_negative<T>(-absolute<T>(x));
  return (x < 0 ? e : all<T>(1)) / (1 + e);
}

template <class T>
H5SCORE_INLINE Vec<T> softplus(Vec<T> x) {
  return at_least<T>(x, all<T>(0)) + log1p<T>(exp_negative<T>(-absolute<T>(x)));
}

/// erfc(z) for z >= 0. The error grows with z^2 in the far tail (1e-13 relative at z = 20).
template <class T>
H5SCORE_INLINE Vec<T> erfc(Vec<T> z) {
  constexpr auto& c = Constants<T>::erfc;
  constexpr size_t n = sizeof c / sizeof c[0];
  const Vec<T> t = (z - static_cast<T>(3.75)) / (z + static_cast<T>(3.75));
  Vec<T> b1{};
  Vec<T> b2{};
  for (size_t i = n - 1; i >= 1; --i) {  // Clenshaw's recurrence
    const Vec<T> b = fma(t + t, b1, c[i] - b2);
    b2 = b1;
    b1 = b;
  }
  const Vec<T> sum = fma(t, b1, c[0] - b2);
  return sum * exp_negative<T>(-z * z) / fma(z, all<T>(2), all<T>(1));
}

/// The Taylor series near 0, where 1 - erfc(x) would cancel.
template <class T>
H5SCORE_INLINE Vec<T> erf(Vec<T> x) {
  constexpr int terms = sizeof(T) == sizeof(float) ? 6 : 12;  // enough for |x| < 1/2
  const Vec<T> z = x * x;
  Vec<T> series = all<T>(0);
  for (int n = terms; n >= 1; --n) {  // sum of (-z)^n / (n! (2n + 1)) as (-z) (c_1 + (-z) (c_2 + ...))
    double factorial = 1;
    for (int i = 2; i <= n; ++i) factorial *= i;
    series = fma(-z, series, all<T>(static_cast<T>(1 / (factorial * (2 * n + 1)))));
  }
  const Vec<T> root = all<T>(static_cast<T>(1.1283791670955125739));  // 2 / sqrt(pi)
  const Vec<T> near = x * fma(-z * series, root, root);
  const Vec<T> magnitude = at_most<T>(absolute<T>(x), all<T>(30));
  const Vec<T> far = with_sign_of<T>(1 - erfc<T>(magnitude), x);
  return magnitude < static_cast<T>(0.5) ? near : far;
}

/// x Phi(x), Phi the normal distribution function.
template <class T>
H5SCORE_INLINE Vec<T> gelu(Vec<T> x) {
  const Vec<T> tail =
      static_cast<T>(0.5) * erfc<T>(at_most<T>(absolute<T>(x) * static_cast<T>(0.70710678118654752440), all<T>(30)));
  return x * (x < 0 ? tail : 1 - tail);
}

}  // namespace

// Elementary functions on vectors, in a fixed order of operations. Only for the kernel translation units.
//
// exp, expm1: argument reduction x = n ln2 + r with a two-part ln2 (W. J. Cody, W. Waite: Software Manual for the
//   Elementary Functions, 1980), Taylor series of e^r on |r| <= ln2/2, scaling by 2^n in two steps (gradual underflow).
// log1p: log(1+x) = k ln2 + log(m), m in [sqrt(1/2), sqrt(2)), log(m) by the series of 2 atanh(f/(2+f)), and the
// rounding
//   error of 1+x added as a first-order term (the decomposition that fdlibm documents for its log1p).
// erfc: (1+2z) e^(z^2) erfc(z) as a Chebyshev sum in t = (z-3.75)/(z+3.75) (M. M. Shepherd, J. G. Laframboise,
//   Mathematics of Computation 36, 1981); coefficients computed with mpmath at 50 digits, error 5e-17 and 1.3e-8.
// Largest errors (tests/model/accuracy_test.cpp): exp and log1p 1 unit in the last place, tanh, sigmoid and
// softplus 2.4, gelu 6.
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
  static constexpr int exp_terms = 7, log_terms = 6;
  static constexpr std::uint32_t smallest_normal_bits = 1U << 23U;
  static constexpr std::uint32_t one_bits = 0x3F800000U, sqrt_half_bits = 0x3F3504F3U;
  static constexpr float integer_base = 8388608.0F;  // 2^23
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
  static constexpr int exp_terms = 13, log_terms = 12;
  static constexpr std::uint64_t smallest_normal_bits = std::uint64_t{1} << 52U;
  static constexpr std::uint64_t one_bits = 0x3FF0000000000000U, sqrt_half_bits = 0x3FE6A09E667F3BCDU;
  static constexpr double integer_base = 4503599627370496.0;  // 2^52
  static constexpr double erfc[] = {
      1.17757893456740175,       -0.00459005458064647733, -0.0842491333665179156,   0.0592099399981918905,
      -0.0266586684353057523,    0.00907499767070526509,  -0.00241316354041760819,  0.000490775836525808632,
      -0.0000691697330250120637, 4.13902798607301017e-6,  7.74038306619849067e-7,   -2.18864010492343957e-7,
      1.07649994656709104e-8,    4.5219598112182869e-9,   -7.75440020883135111e-10, -6.31808834088668449e-11,
      2.8687950109306699e-11,    1.94558685457773472e-13, -9.65469674843343891e-13, 3.25254814814873984e-14,
      3.34781194828680539e-14,   -1.8645628804193131e-15, -1.25079505306886471e-15, 7.41823525662404346e-17};
};

// 1/n! for the exponential series.
template <class T>
constexpr T inverse_factorial(int n) {
  double f = 1;
  for (int i = 2; i <= n; ++i) f *= i;
  return static_cast<T>(1 / f);
}

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
  constexpr int terms = Constants<T>::exp_terms;
  Vec<T> p = all<T>(inverse_factorial<T>(terms));
  for (int i = terms - 1; i >= 2; --i) p = fma(p, r, all<T>(inverse_factorial<T>(i)));
  return fma(p, r * r, r);
}
/// 2^n from n + magic, for n in the range of normal numbers.
template <class T>
H5SCORE_INLINE Vec<T> power_of_two(Vec<T> rounded) {
  using C = Constants<T>;
  return from_bits<T>((bits<T>(rounded) << C::mantissa_bits) + (C::exponent_bias << C::mantissa_bits));
}

template <class T>
H5SCORE_INLINE Vec<T> exp(Vec<T> x) {
  using C = Constants<T>;
  x = at_least<T>(at_most<T>(x, all<T>(C::exp_high)), all<T>(C::exp_low));
  const Reduced<T> a = reduce_ln2<T>(x);
  const Vec<T> p = 1 + expm1_series<T>(a.r);
  const Vec<T> half = a.n * static_cast<T>(0.5) + C::magic;
  return p * power_of_two<T>(half) * power_of_two<T>(a.n - (half - C::magic) + C::magic);
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
  const Vec<T> e = exp<T>(-absolute<T>(x));
  return (x < 0 ? e : all<T>(1)) / (1 + e);
}

template <class T>
H5SCORE_INLINE Vec<T> softplus(Vec<T> x) {
  return at_least<T>(x, all<T>(0)) + log1p<T>(exp<T>(-absolute<T>(x)));
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
  return sum * exp<T>(-z * z) / fma(z, all<T>(2), all<T>(1));
}

/// x Phi(x), Phi the normal distribution function.
template <class T>
H5SCORE_INLINE Vec<T> gelu(Vec<T> x) {
  const Vec<T> tail =
      static_cast<T>(0.5) * erfc<T>(at_most<T>(absolute<T>(x) * static_cast<T>(0.70710678118654752440), all<T>(30)));
  return x * (x < 0 ? tail : 1 - tail);
}

}  // namespace

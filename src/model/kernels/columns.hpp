// Products with few outputs of features that lie column by column: the sums of rows.hpp, in its very order, with a row
// in each SIMD lane.
#pragma once

#include "rows.hpp"

#include <algorithm>

namespace {

/// Adds to sum[s] the columns k with k % kRowLanes = first + s, of n <= kLanes rows.
template <class T, size_t S>
H5SCORE_INLINE void add_columns(const T* const* column, size_t row, size_t n, size_t first, size_t depth, const T* w,
                                size_t w_step, Vec<T>* sum) {
  const auto add = [&](size_t k, const T* weight, size_t s) {
    const T* const x = column[k] + row;
    sum[s] = fma(n == kLanes<T> ? load<T>(x) : load_first<T>(x, n), all<T>(*weight), sum[s]);
  };
  size_t k = first;
  w += first;
  for (; k + S <= depth; k += kRowLanes<T>, w += w_step)
#pragma GCC unroll 16
    for (size_t s = 0; s < S; ++s) add(k + s, w + s, s);
#pragma GCC unroll 16
  for (size_t s = 0; s < S; ++s)
    if (k + s < depth) add(k + s, w + s, s);
}

/// One output of n <= kLanes rows: the sum of kRowLanes partial sums.
template <class T>
H5SCORE_INLINE Vec<T> sums_of_columns(const T* const* column, size_t row, size_t n, size_t depth, const T* w,
                                      size_t w_step) {
  constexpr size_t fitting = kVectorBytes == 64 ? 16 : 8;  // sums that fit into registers
  constexpr size_t S = kRowLanes<T> < fitting ? kRowLanes<T> : fitting;
  Vec<T> sum[kRowLanes<T>] = {};
  for (size_t first = 0; first < kRowLanes<T>; first += S)
    add_columns<T, S>(column, row, n, first, depth, w, w_step, sum + first);
  for (size_t half = kRowLanes<T> / 2; half > 0; half /= 2)
    for (size_t s = 0; s < half; ++s) sum[s] += sum[s + half];
  return sum[0];
}

constexpr size_t kStretch = 256;  ///< rows of a tile, of which the next one is asked for meanwhile

/// The same sums of rows <= kStretch rows, a multiple of kLanes, column by column: where the columns are in no cache,
/// each is read in a stretch, and the lines that the next tile needs are on their way when it comes.
template <class T>
H5SCORE_INLINE void stretch_sums(const T* const* column, size_t row, size_t rows, size_t depth, const T* w,
                                 size_t w_step, T bias, T* out) {
  alignas(kVectorBytes) T part[kRowLanes<T>][kStretch];
  for (size_t s = depth; s < kRowLanes<T>; ++s) std::fill_n(part[s], rows, T{0});
  for (size_t k = 0; k < depth; ++k) {
    const size_t s = k % kRowLanes<T>;
    const T* const x = column[k] + row;
    const Vec<T> weight = all<T>(w[k / kRowLanes<T> * w_step + s]);
    for (size_t i = 0; i < rows; i += kLanes<T>) {
      __builtin_prefetch(x + i + kStretch, 0, 1);
      const Vec<T> sum = k < kRowLanes<T> ? Vec<T>{} : load<T>(part[s] + i);
      store<T>(part[s] + i, fma(load<T>(x + i), weight, sum));
    }
  }
  for (size_t i = 0; i < rows; i += kLanes<T>) {
    Vec<T> sum[kRowLanes<T>];
    for (size_t s = 0; s < kRowLanes<T>; ++s) sum[s] = load<T>(part[s] + i);
    for (size_t half = kRowLanes<T> / 2; half > 0; half /= 2)
      for (size_t s = 0; s < half; ++s) sum[s] += sum[s + half];
    store<T>(out + i, sum[0] + all<T>(bias));
  }
}

template <class T>
void column_product(const T* const* column, size_t first, size_t valid, size_t rows, size_t depth, const T* w,
                    size_t columns, const T* bias, T* out) {
  const size_t step = columns * kRowLanes<T>;
  const bool whole = valid == rows && rows <= kStretch;
  if (whole && columns > 0) stretch_sums<T>(column, first, rows, depth, w, step, bias[0], out);
  for (size_t i = 0; i < rows; i += kLanes<T>)
    for (size_t j = whole ? 1 : 0; j < columns; ++j) {  // what the first output has read is in the cache
      Vec<T> sum{};
      if (i + kLanes<T> <= valid)
        sum = sums_of_columns<T>(column, first + i, kLanes<T>, depth, w + j * kRowLanes<T>, step);
      else if (i < valid)
        sum = sums_of_columns<T>(column, first + i, valid - i, depth, w + j * kRowLanes<T>, step);
      store<T>(out + j * rows + i, sum + all<T>(bias[j]));
    }
}

}  // namespace

// The inner kernel of matrix products: a block of row vectors times a narrow panel of weights, all sums in registers.
// Each lane (row) of each column is one chain of fused multiply-adds over k = 0, 1, 2, ...: the result does not depend
// on how many rows or columns a block has, nor on where the depth is cut (the partial sum is stored and loaded without
// rounding).
#pragma once

#include "table.hpp"
#include "vector.hpp"

namespace {

using h5score::model::kernels::kPanelColumns;

template <class T, size_t M, size_t N, bool Distance>
void panel_block(const T* a, size_t rows, size_t depth, const T* panel, T* c, const T* init) {
  constexpr size_t lanes = kLanes<T>;
  Vec<T> sum[N][M];
  for (size_t j = 0; j < N; ++j)
    for (size_t i = 0; i < M; ++i) sum[j][i] = init != nullptr ? all<T>(init[j]) : load<T>(c + j * rows + i * lanes);
  for (size_t k = 0; k < depth; ++k) {
    Vec<T> x[M];
    for (size_t i = 0; i < M; ++i) x[i] = load<T>(a + k * rows + i * lanes);
    for (size_t j = 0; j < N; ++j) {
      const Vec<T> w = all<T>(panel[k * N + j]);
      for (size_t i = 0; i < M; ++i) {
        if constexpr (Distance) {
          const Vec<T> d = x[i] - w;
          sum[j][i] = fma(d, d, sum[j][i]);
        } else {
          sum[j][i] = fma(x[i], w, sum[j][i]);
        }
      }
    }
  }
  for (size_t j = 0; j < N; ++j)
    for (size_t i = 0; i < M; ++i) store<T>(c + j * rows + i * lanes, sum[j][i]);
}

template <class T, size_t N, bool Distance>
void panel_rows(const T* a, size_t rows, size_t depth, const T* panel, T* c, const T* init) {
  constexpr size_t lanes = kLanes<T>;
  constexpr size_t block = kRowVectors * lanes;
  static_assert(block <= 64 && 16 % lanes == 0);
  size_t i = 0;
  for (; i + block <= rows; i += block)
    panel_block<T, kRowVectors, N, Distance>(a + i, rows, depth, panel, c + i, init);
  if constexpr (block > 16) {
    for (; i < rows; i += lanes) panel_block<T, 1, N, Distance>(a + i, rows, depth, panel, c + i, init);
  }
}

template <class T, bool Distance>
void panel_columns(const T* a, size_t rows, size_t depth, const T* panel, size_t n, T* c, const T* init) {
  static_assert(kPanelColumns == 6);
  switch (n) {
    case 1:
      return panel_rows<T, 1, Distance>(a, rows, depth, panel, c, init);
    case 2:
      return panel_rows<T, 2, Distance>(a, rows, depth, panel, c, init);
    case 3:
      return panel_rows<T, 3, Distance>(a, rows, depth, panel, c, init);
    case 4:
      return panel_rows<T, 4, Distance>(a, rows, depth, panel, c, init);
    case 5:
      return panel_rows<T, 5, Distance>(a, rows, depth, panel, c, init);
    default:
      return panel_rows<T, 6, Distance>(a, rows, depth, panel, c, init);
  }
}

H5SCORE_INLINE Vec<double> load_wide(const double* p) {
  return load<double>(p);
}
H5SCORE_INLINE Vec<double> load_wide(const float* p) {
  Types<float>::Half half;
  __builtin_memcpy(&half, p, sizeof half);
  return __builtin_convertvector(half, Vec<double>);
}

/// M vectors of rows, N outputs.
template <class T, size_t M, size_t N>
H5SCORE_INLINE void weighted_block(const T* x, size_t rows, size_t count, const double* weights, size_t outputs,
                                   double* sum) {
  constexpr size_t lanes = kLanes<double>;
  Vec<double> total[N][M];
  for (size_t j = 0; j < N; ++j)
    for (size_t i = 0; i < M; ++i) total[j][i] = load<double>(sum + j * rows + i * lanes);
  for (size_t m = 0; m < count; ++m) {
    Vec<double> v[M];
    for (size_t i = 0; i < M; ++i) v[i] = load_wide(x + m * rows + i * lanes);
    for (size_t j = 0; j < N; ++j)
      for (size_t i = 0; i < M; ++i) total[j][i] = fma(v[i], all<double>(weights[m * outputs + j]), total[j][i]);
  }
  for (size_t j = 0; j < N; ++j)
    for (size_t i = 0; i < M; ++i) store<double>(sum + j * rows + i * lanes, total[j][i]);
}

template <class T, size_t N>
H5SCORE_INLINE void weighted_rows(const T* x, size_t rows, size_t count, const double* weights, size_t outputs,
                                  double* sum) {
  constexpr size_t lanes = kLanes<double>;
  size_t i = 0;
  for (; i + kRowVectors * lanes <= rows; i += kRowVectors * lanes)
    weighted_block<T, kRowVectors, N>(x + i, rows, count, weights, outputs, sum + i);
  for (; i < rows; i += lanes) weighted_block<T, 1, N>(x + i, rows, count, weights, outputs, sum + i);
}

template <class T>
void add_weighted(const T* x, size_t rows, size_t count, const double* weights, size_t outputs, double* sum) {
  size_t j = 0;
  for (; j + 3 <= outputs; j += 3) weighted_rows<T, 3>(x, rows, count, weights + j, outputs, sum + j * rows);
  for (; j < outputs; ++j) weighted_rows<T, 1>(x, rows, count, weights + j, outputs, sum + j * rows);
}

}  // namespace

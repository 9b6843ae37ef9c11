// Kernels between row-major memory of any stride and address and feature-major tiles: transposition both ways, and
// products with few outputs that read the rows where they lie.
#pragma once

#include "table.hpp"
#include "vector.hpp"

namespace {

/// kLanes vectors of one row each to vectors of one column each, by log2(kLanes) riffles: each rotates the bits of
/// (row, column) by one.
template <class T>
H5SCORE_INLINE void transpose_square(Vec<T> (&v)[kLanes<T>]) {
  constexpr size_t lanes = kLanes<T>;
  for (size_t round = 1; round < lanes; round *= 2) {
    Vec<T> w[lanes];
    for (size_t r = 0; r < lanes / 2; ++r) {
      w[2 * r] = riffle_low<T>(v[r], v[r + lanes / 2]);
      w[2 * r + 1] = riffle_high<T>(v[r], v[r + lanes / 2]);
    }
    for (size_t r = 0; r < lanes; ++r) v[r] = w[r];
  }
}

/// The square of kLanes rows and columns from `column` on. Its pieces are loaded where they belong; then squares of
/// kPiece x kPiece are transposed in each of them.
template <class T>
H5SCORE_INLINE void load_transposed(const T* const* row, size_t column, Vec<T> (&v)[kLanes<T>]) {
  constexpr size_t n = kPiece<T>;
  for (size_t first = 0; first < kLanes<T>; first += n) {
    Vec<T> square[n];
    for (size_t r = 0; r < n; ++r) square[r] = load_pieces<T>(row + r, column + first);
    for (size_t round = 1; round < n; round *= 2) {
      Vec<T> w[n];
      for (size_t r = 0; r < n / 2; ++r) {
        w[2 * r] = riffle_pieces_low<T>(square[r], square[r + n / 2]);
        w[2 * r + 1] = riffle_pieces_high<T>(square[r], square[r + n / 2]);
      }
      for (size_t r = 0; r < n; ++r) square[r] = w[r];
    }
    for (size_t r = 0; r < n; ++r) v[first + r] = square[r];
  }
}

// Loads a byte of each cache line, row after row. AVX2 cores that take eight rows at once from memory wait for
// most lines; in the order of memory they are fetched ahead. On Zen 2 a logistic model of 10 classes scores 1.2 times
// as many mapped rows, and as many from a cache.
template <class T>
void visit_lines(const T* in, size_t stride, size_t rows, size_t first, size_t end) {
  for (size_t i = 0; i < rows; ++i)
    for (size_t j = first; j < end; j += 64 / sizeof(T)) {
      unsigned char byte = 0;
      __builtin_memcpy(&byte, in + i * stride + j, 1);
      asm volatile("" : : "r"(byte));
    }
}

/// Rows whose columns take 64 KiB, a multiple of kLanes.
template <class T>
size_t rows_to_visit(size_t columns) {
  const size_t groups = (size_t{64} << 10) / ((columns == 0 ? 1 : columns) * sizeof(T) * kLanes<T>);
  return (groups == 0 ? 1 : groups) * kLanes<T>;
}

// The last square of a row overlaps the one before it instead of leaving the row.
template <class T>
void transpose(const T* in, size_t stride, size_t valid, size_t rows, size_t first, size_t end, T* out) {
  constexpr size_t lanes = kLanes<T>;
  const size_t visit = rows_to_visit<T>(end - first);
  for (size_t i = 0; i < rows; i += lanes) {
    if (kVectorBytes < 64 && i % visit == 0 && i < valid)
      visit_lines(in + i * stride, stride, i + visit < valid ? visit : valid - i, first, end);
    const T* row[lanes];
    for (size_t r = 0; r < lanes; ++r) row[r] = in + (i + r < valid ? i + r : valid - 1) * stride;
    if (end < lanes) {
      for (size_t j = first; j < end; ++j)
        for (size_t r = 0; r < lanes; ++r) out[j * rows + i + r] = row[r][j];
      continue;
    }
    for (size_t step = first; step < end; step += lanes) {
      const size_t j = step + lanes <= end ? step : end - lanes;
      Vec<T> v[lanes];
      load_transposed<T>(row, j, v);
      for (size_t r = 0; r < lanes; ++r) store<T>(out + (j + r) * rows + i, v[r]);
    }
  }
}

template <class T>
void to_rows(const T* x, size_t rows, size_t valid, size_t columns, unsigned char* out) {
  constexpr size_t lanes = kLanes<T>;
  if (columns == 1) {
    __builtin_memcpy(out, x, valid * sizeof(T));
    return;
  }
  size_t i = 0;
  for (; columns == 2 && i + lanes <= valid; i += lanes) {
    const Vec<T> pairs[] = {riffle_low<T>(load<T>(x + i), load<T>(x + rows + i)),
                            riffle_high<T>(load<T>(x + i), load<T>(x + rows + i))};
    __builtin_memcpy(out + 2 * i * sizeof(T), pairs, sizeof pairs);
  }
  for (; i < valid; i += lanes) {
    const size_t n = valid - i < lanes ? valid - i : lanes;
    for (size_t j = 0; j < columns; j += lanes) {
      const size_t width = columns - j < lanes ? columns - j : lanes;
      Vec<T> v[lanes];
      for (size_t r = 0; r < lanes; ++r) v[r] = load<T>(x + (j + (r < width ? r : 0)) * rows + i);
      transpose_square<T>(v);
#pragma GCC unroll 16
      for (size_t r = 0; r < lanes; ++r)
        if (r < n) store_first<T>(out + ((i + r) * columns + j) * sizeof(T), v[r], width);
    }
  }
}

// Sums of products have kRowLanes partial sums, whatever the vector length: element k belongs to sum k % kRowLanes. The
// partial sums are added in the order of a binary tree: p_l + p_(l + n/2), then n/4, ...; a block of results is reduced
// at once by the same riffles that transpose it.
template <class T>
constexpr size_t kRowLanes = 64 / sizeof(T);
template <class T>
constexpr size_t kRowParts = kRowLanes<T> / kLanes<T>;  // vectors that hold the partial sums of one result

/// Sums of R rows times N outputs, kLanes partial ones each. Weights of kRowLanes elements of one output lie side by
/// side, those of the next elements w_step further on; zeros stand behind the depth.
template <class T, size_t R, size_t N>
H5SCORE_INLINE void row_block(const T* const* row, size_t depth, const T* w, size_t w_step, Vec<T> (&result)[N][R]) {
  constexpr size_t parts = kRowParts<T>;
  Vec<T> sum[N][R][parts] = {};
  const auto add = [&](const T* weights, auto load_part) {
    for (size_t p = 0; p < parts; ++p) {
      Vec<T> x[R];
      for (size_t r = 0; r < R; ++r) x[r] = load_part(row[r], p);
      for (size_t j = 0; j < N; ++j) {
        const Vec<T> y = load<T>(weights + j * kRowLanes<T> + p * kLanes<T>);
        for (size_t r = 0; r < R; ++r) sum[j][r][p] = fma(x[r], y, sum[j][r][p]);
      }
    }
  };
  size_t k = 0;
  for (; k + kRowLanes<T> <= depth; k += kRowLanes<T>, w += w_step)
    add(w, [k](const T* x, size_t p) { return load<T>(x + k + p * kLanes<T>); });
  if (k < depth)
    add(w, [k, depth](const T* x, size_t p) {
      const size_t at = k + p * kLanes<T>;
      return at + kLanes<T> <= depth ? load<T>(x + at)
                                     : load_first<T>(x + (at < depth ? at : k), at < depth ? depth - at : 0);
    });
  for (size_t j = 0; j < N; ++j)
    for (size_t r = 0; r < R; ++r) {
      for (size_t half = parts / 2; half > 0; half /= 2)
        for (size_t p = 0; p < half; ++p) sum[j][r][p] += sum[j][r][p + half];
      result[j][r] = sum[j][r][0];
    }
}

/// Lane i of the result is the sum of all lanes of v[i].
template <class T>
H5SCORE_INLINE Vec<T> sums_of_lanes(Vec<T> (&v)[kLanes<T>]) {
  for (size_t half = kLanes<T> / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half; ++i) {
      const Vec<T> a = v[i];
      v[i] = riffle_low<T>(a, v[i + half]) + riffle_high<T>(a, v[i + half]);
    }
  return v[0];
}

constexpr size_t kRowBlock = 16;

/// N outputs of kRowBlock rows, of which `valid` > 0 are there; the others repeat the last one.
template <class T, size_t N>
void row_outputs(const T* in, size_t stride, size_t valid, size_t depth, const T* w, size_t w_step, const T* bias,
                 T* out, size_t rows) {
  constexpr size_t block = kLanes<T> / N;                                      // rows whose results fill a vector
  constexpr size_t most = (kVectorBytes == 64 ? 16 : 8) / (N * kRowParts<T>);  // rows whose sums fit into registers
  // Row after row, the order of memory, where that is enough to keep an AVX2 core busy: 1.7 times the rate of four rows
  // at a time from mapped pages, and the same from a cache (linear model of 100 features, Zen 2).
  constexpr size_t fitting = most > 4 ? 4 : most == 0 || (N == 1 && kVectorBytes < 64) ? 1 : most;
  constexpr size_t R = block < fitting ? block : fitting;
  for (size_t i = 0; i < kRowBlock; i += block) {
    Vec<T> v[kLanes<T>];
#pragma GCC unroll 16
    for (size_t first = 0; first < block; first += R) {
      const T* row[R];
      for (size_t r = 0; r < R; ++r) row[r] = in + (i + first + r < valid ? i + first + r : valid - 1) * stride;
      Vec<T> result[N][R];
      row_block<T, R, N>(row, depth, w, w_step, result);
      for (size_t j = 0; j < N; ++j)
        for (size_t r = 0; r < R; ++r) v[j * block + first + r] = result[j][r];
    }
    T lanes[kLanes<T>];
    store<T>(lanes, sums_of_lanes<T>(v));
    for (size_t j = 0; j < N; ++j)
      for (size_t r = 0; r < block; ++r) out[j * rows + i + r] = lanes[j * block + r] + bias[j];
  }
}

template <class T>
void row_product(const T* in, size_t stride, size_t valid, size_t rows, size_t depth, const T* w, size_t columns,
                 const T* bias, T* out) {
  const size_t step = columns * kRowLanes<T>;
  for (size_t i = 0; i < rows; i += kRowBlock) {
    const size_t n = i < valid ? valid - i : 1;
    const T* const first = in + (i < valid ? i : valid - 1) * stride;
    const T* weights = w;
    size_t j = 0;
    if constexpr (kLanes<T> >= 4) {
      for (; j + 4 <= columns; j += 4, weights += 4 * kRowLanes<T>)
        row_outputs<T, 4>(first, stride, n, depth, weights, step, bias + j, out + j * rows + i, rows);
    }
    for (; j + 2 <= columns; j += 2, weights += 2 * kRowLanes<T>)
      row_outputs<T, 2>(first, stride, n, depth, weights, step, bias + j, out + j * rows + i, rows);
    if (j < columns) row_outputs<T, 1>(first, stride, n, depth, weights, step, bias + j, out + j * rows + i, rows);
  }
}

}  // namespace

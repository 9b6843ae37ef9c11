// The boundary between portable code and kernels that are compiled once per instruction set: plain function pointers on
// raw arrays. No inline function and no standard container crosses it, so the linker can never merge code of two
// instruction sets.
//
// All arrays but the row-major input tile are feature-major: column j of a tile of `rows` rows lies at x + j * rows.
// Rows are the SIMD lanes, and every kernel applies the same operations in the same order to every lane; that is why a
// row's result cannot depend on its neighbours or its place. `rows` is a power of two from 16 to 256; arrays are
// 64-byte aligned.
#pragma once

#include <cstddef>
#include <cstdint>

namespace h5score::model::kernels {

using std::size_t;

/// Columns of a packed panel of weights (the last panel of a matrix may be narrower).
inline constexpr size_t kPanelColumns = 6;

/// Elementwise functions of one parameter `a` (see Activation for what it means).
enum class Map : unsigned char {
  relu,
  relu6,
  leaky_relu,
  elu,
  selu,
  gelu,
  gelu_tanh,
  silu,
  sigmoid,
  hard_sigmoid,
  tanh,
  softplus,
  softsign,
  exp,
  log1p,
  sqrt_or_one,  ///< sqrt(x), 1 where x is 0: the l2 norm to divide by
  one_if_zero,  ///< x, 1 where x is 0
  count
};

/// How a column enters a row's norm.
enum class Fold : unsigned char { absolute, square, largest_absolute, largest, sum, count };

template <class T>
struct Table {
  /// Rows of `in` (stride elements apart, 64-byte aligned) to feature-major; `columns` is rounded up to whole 64 bytes.
  void (*transpose)(const T* in, size_t stride, size_t rows, size_t columns, T* out);

  /// c[j] (+)= sum_k a[k] * panel[k * n + j] for n <= kPanelColumns columns; starts from init[j], or from c where init
  /// is null. The sum runs over k in order, one fused multiply-add (where the CPU has it) at a time.
  void (*panel_product)(const T* a, size_t rows, size_t depth, const T* panel, size_t n, T* c, const T* init);
  /// The same with (a[k] - panel[k * n + j])^2.
  void (*panel_distance)(const T* a, size_t rows, size_t depth, const T* panel, size_t n, T* c, const T* init);

  /// x *= 1 everywhere finite: accumulator[row] becomes NaN where a column of the row is NaN or infinite.
  void (*mark_nonfinite)(const T* x, size_t rows, size_t columns, T* accumulator);
  /// accumulator[row] = fold(accumulator[row], x of each column).
  void (*fold)(Fold kind, const T* x, size_t rows, size_t columns, T* accumulator);
  /// x = (x - offset_j) * factor_j; a null factor means 1.
  void (*scale)(T* x, size_t rows, size_t columns, const T* offset, const T* factor);
  void (*impute)(T* x, size_t rows, size_t columns, const T* statistics, T missing, bool missing_is_nan);
  /// x = x / divisor[row].
  void (*divide)(T* x, size_t rows, size_t columns, const T* divisor);
  /// x = exp(x - shift[row]).
  void (*exp_shifted)(T* x, size_t rows, size_t columns, const T* shift);
  void (*clip)(T* x, size_t count, T low, T high);
  void (*map)(Map kind, T a, T* x, size_t count);

  /// x = exp(-gamma * max(0, row_norm[row] + column_norm[j] - 2 x)).
  void (*rbf)(T* x, size_t rows, size_t columns, const T* row_norm, const T* column_norm, T gamma);
  /// x = exp(-gamma * x).
  void (*rbf_distance)(T* x, size_t count, T gamma);
  /// x = (gamma x + coef0)^degree, the power by repeated squaring.
  void (*polynomial)(T* x, size_t count, T gamma, T coef0, std::uint32_t degree);
  /// x = tanh(gamma x + coef0).
  void (*sigmoid_kernel)(T* x, size_t count, T gamma, T coef0);

  size_t lanes;  ///< elements per vector register: what one vector operation costs
};

struct Tables {
  Table<float> single;
  Table<double> wide;
};

extern const Tables baseline_tables;
#if H5SCORE_HAS_X86_KERNELS
extern const Tables avx2_tables;
extern const Tables avx512_tables;
#endif

}  // namespace h5score::model::kernels

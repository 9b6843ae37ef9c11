// The boundary between portable code and kernels that are compiled once per instruction set: plain function pointers on
// raw arrays. No inline function and no standard container crosses it, so the linker can never merge code of two
// instruction sets.
//
// All arrays but the caller's row-major input are feature-major: column j of a tile of `rows` rows lies at x + j *
// rows. Rows are the SIMD lanes, and every kernel applies the same operations in the same order to every lane; that is
// why a row's result cannot depend on its neighbours or its place. `rows` is a multiple of 16; arrays are 64-byte
// aligned.
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
  erf,
  log1p,
  log_from_one,  ///< log(x) for x >= 1
  step,          ///< 1 where x > a, else 0; NaN stays
  sqrt_or_one,   ///< sqrt(x), 1 where x is 0: the l2 norm to divide by
  one_if_zero,   ///< x, 1 where x is 0
  count
};

/// How a column enters a row's norm.
enum class Fold : unsigned char { absolute, square, largest_absolute, largest, sum, count };

/// x combined with y.
enum class Pair : unsigned char { add, subtract, multiply, divide, minimum, maximum, count };

template <class T>
struct Table {
  /// Columns [first, end) of `valid` > 0 rows, `stride` elements apart, to feature-major; `rows` are written, the last
  /// row over and over behind the valid ones. Reads nothing else of what lies around the rows.
  void (*transpose)(const T* in, size_t stride, size_t valid, size_t rows, size_t first, size_t end, T* out);

  /// The inverse: the first `valid` rows of `columns` columns to row-major rows without gaps at any address.
  void (*to_rows)(const T* x, size_t rows, size_t valid, size_t columns, unsigned char* out);
  /// Products of rows that lie as transpose() takes them with `columns` outputs: out = rows W + bias, feature-major;
  /// `rows` are written. Weights are packed as [depth / l][columns][l], l = 64 bytes, with zeros behind the depth.
  void (*row_product)(const T* in, size_t stride, size_t valid, size_t rows, size_t depth, const T* w, size_t columns,
                      const T* bias, T* out);
  /// The same, bit for bit, of rows that lie column by column: element `first` of each column is the first row's. Rows
  /// behind the valid ones become the bias.
  void (*column_product)(const T* const* column, size_t first, size_t valid, size_t rows, size_t depth, const T* w,
                         size_t columns, const T* bias, T* out);

  /// c[j] (+)= sum_k a[k] * panel[k * n + j] for n <= kPanelColumns columns; starts from init[j], or from c where init
  /// is null. The sum runs over k in order, one fused multiply-add (where the CPU has it) at a time.
  void (*panel_product)(const T* a, size_t rows, size_t depth, const T* panel, size_t n, T* c, const T* init);
  /// The same with (a[k] - panel[k * n + j])^2.
  void (*panel_distance)(const T* a, size_t rows, size_t depth, const T* panel, size_t n, T* c, const T* init);

  /// Whether no element is NaN or infinite.
  bool (*all_finite)(const T* x, size_t count);
  /// x *= 1 everywhere finite: accumulator[row] becomes NaN where a column of the row is NaN or infinite.
  void (*mark_nonfinite)(const T* x, size_t rows, size_t columns, T* accumulator);
  /// The same for infinite columns alone.
  void (*mark_infinite)(const T* x, size_t rows, size_t columns, T* accumulator);
  /// accumulator[row] = fold(accumulator[row], x of each column).
  void (*fold)(Fold kind, const T* x, size_t rows, size_t columns, T* accumulator);
  /// x = (x - offset_j) * factor_j; a null factor means 1.
  void (*scale)(T* x, size_t rows, size_t columns, const T* offset, const T* factor);
  void (*impute)(T* x, size_t rows, size_t columns, const T* statistics, T missing, bool missing_is_nan);
  /// x becomes NaN where it is `value`, and so does mark[row]; a null mark is left out.
  void (*mark_missing)(T* x, size_t rows, size_t columns, T value, T* mark);
  /// x = x combined with y, element by element; a NaN in either stays.
  void (*combine)(Pair kind, T* x, const T* y, size_t count);
  /// x = x / divisor[row].
  void (*divide)(T* x, size_t rows, size_t columns, const T* divisor);
  /// Softmax over each row's columns: exp(x - largest), divided by the sum.
  void (*softmax)(T* x, size_t rows, size_t columns);
  /// The first column that has the row's largest element.
  void (*first_largest)(const T* x, size_t rows, size_t columns, std::int32_t* index);
  /// 1 where x > threshold, else 0.
  void (*above)(const T* x, size_t count, T threshold, std::int32_t* flag);
  /// sum_j += x_m * weights[m * outputs + j] over `count` columns m in order, in double; `outputs` columns of sums.
  void (*add_weighted)(const T* x, size_t rows, size_t count, const double* weights, size_t outputs, double* sum);
  /// x = exp(x - shift[row]).
  void (*exp_shifted)(T* x, size_t rows, size_t columns, const T* shift);
  /// accumulator[row] += exp(x - shift[row]) over the columns.
  void (*add_exp)(const T* x, size_t rows, size_t columns, const T* shift, T* accumulator);
  /// x = (x - first[row]) - second[row].
  void (*subtract)(T* x, size_t rows, size_t columns, const T* first, const T* second);
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

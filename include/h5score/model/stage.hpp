// The stages that a model is made of. Each maps n x d -> n x k row by row (Combine: several inputs). Parameters are
// kept in double whatever the evaluation precision: a float32 parameter is exact in double. Matrices are row-major.
#pragma once

#include "h5score/base/types.hpp"

#include <span>
#include <string>
#include <variant>
#include <vector>

namespace h5score::model {

using base::u64;

/// Row-major matrix of parameters.
struct Matrix {
  u64 rows = 0;
  u64 cols = 0;
  std::vector<double> values;  ///< rows * cols
};

/// y = x W + b; W is d x k (as scikit-learn's MLP coefs_ and Keras' kernels), b has k entries.
struct Affine {
  Matrix weights;
  std::vector<double> bias;
};

enum class ActivationKind : base::u8 {
  identity,
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
  exponential,
  erf
};

/// Elementwise. `alpha`: slope of leaky_relu (0.01 in most libraries), scale of elu (1 in most), taken as it stands;
/// else unused. gelu is x Phi(x), gelu_tanh its approximation (Hendrycks and Gimpel 2016), selu that of Klambauer et
/// al. 2017, hard_sigmoid min(max(0.2 x + 0.5, 0), 1) as in ONNX and Keras 2, silu x sigmoid(x), softsign x / (1 +
/// |x|).
struct Activation {
  ActivationKind kind = ActivationKind::identity;
  double alpha = 0;
};

/// Softmax over each run of `group` neighbouring columns of a row (0: over all of them); `log`: its logarithm.
struct Softmax {
  u64 group = 0;
  bool log = false;
};

enum class KernelKind : base::u8 { linear, polynomial, rbf, sigmoid };

/// LIBSVM's kernels: linear u.v; polynomial (gamma u.v + coef0)^degree; rbf exp(-gamma |u-v|^2); sigmoid tanh(gamma u.v
/// + coef0).
struct Kernel {
  KernelKind kind = KernelKind::rbf;
  double gamma = 1;
  double coef0 = 0;
  base::u32 degree = 3;
};

/// y = K(x, support_vectors) coefficients + intercept. support_vectors m x d, coefficients m x k, intercept k.
/// Only the head knows classes: a one-vs-one SVM has k = c(c-1)/2 columns in LIBSVM's order (0,1), (0,2), ..., (1,2),
/// ...
struct KernelExpansion {
  Matrix support_vectors;
  Kernel kernel;
  Matrix coefficients;
  std::vector<double> intercept;
};

/// Replaces `missing` (NaN or a value) in column j by statistics[j]; a NaN there leaves the column as it is.
struct Impute {
  std::vector<double> statistics;
  double missing = 0;
  bool missing_is_nan = true;
};

/// y_j = (x_j - offset_j) * factor_j: standard, min-max, max-abs and robust scalers.
struct Scale {
  std::vector<double> offset;
  std::vector<double> factor;
};

enum class Norm : base::u8 { l1, l2, max };
/// Divides each row by its norm (scikit-learn's Normalizer; a zero row stays).
struct Normalize {
  Norm norm = Norm::l2;
};
/// Limits every value to [low, high].
struct Clip {
  double low = 0;
  double high = 1;
};
/// log(1 + x).
struct Log1p {};
/// A value that stands for "not measured" (99, -9999) becomes NaN.
struct MarkMissing {
  double value = 0;
};
/// 1 where x > threshold, else 0 (scikit-learn's Binarizer).
struct Binarize {
  double threshold = 0;
};
/// y_j = x[columns[j]]: selections, permutations and repetitions of columns.
struct Select {
  std::vector<u64> columns;
};

enum class CombineKind : base::u8 { concat, add, subtract, multiply, divide, minimum, maximum };
/// The only stage with several inputs: side by side (concat), or elementwise, folded from the left, over inputs of
/// equal width.
struct Combine {
  CombineKind kind = CombineKind::concat;
};

using Stage = std::variant<Affine, Activation, Softmax, KernelExpansion, Impute, Scale, Normalize, Clip, Log1p,
                           MarkMissing, Binarize, Select, Combine>;

/// "affine 784 -> 128", "rbf kernel, 1978 support vectors", ... for inspect and messages.
std::string describe(const Stage& stage);
/// Width after the stage for inputs of these widths (one, but for Combine); throws Error(data) naming the numbers where
/// the stage does not fit.
u64 output_width(const Stage& stage, std::span<const u64> inputs);
/// The same for a stage with one input.
u64 output_width(const Stage& stage, u64 d);

template <class A>
void archive(A& ar, Matrix& v) {
  ar(v.rows, v.cols, v.values);
}
template <class A>
void archive(A& ar, Affine& v) {
  ar(v.weights, v.bias);
}
template <class A>
void archive(A& ar, Activation& v) {
  ar(v.kind, v.alpha);
}
template <class A>
void archive(A& ar, Softmax& v) {
  ar(v.group, v.log);
}
template <class A>
void archive(A& ar, Kernel& v) {
  ar(v.kind, v.gamma, v.coef0, v.degree);
}
template <class A>
void archive(A& ar, KernelExpansion& v) {
  ar(v.support_vectors, v.kernel, v.coefficients, v.intercept);
}
template <class A>
void archive(A& ar, Impute& v) {
  ar(v.statistics, v.missing, v.missing_is_nan);
}
template <class A>
void archive(A& ar, Scale& v) {
  ar(v.offset, v.factor);
}
template <class A>
void archive(A& ar, Normalize& v) {
  ar(v.norm);
}
template <class A>
void archive(A& ar, Clip& v) {
  ar(v.low, v.high);
}
template <class A>
void archive(A& /*ar*/, Log1p& /*v*/) {}
template <class A>
void archive(A& ar, MarkMissing& v) {
  ar(v.value);
}
template <class A>
void archive(A& ar, Binarize& v) {
  ar(v.threshold);
}
template <class A>
void archive(A& ar, Select& v) {
  ar(v.columns);
}
template <class A>
void archive(A& ar, Combine& v) {
  ar(v.kind);
}

}  // namespace h5score::model

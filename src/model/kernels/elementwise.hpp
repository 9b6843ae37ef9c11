// Kernels that run over columns with rows as lanes: elementwise functions, row reductions, kernel functions.
#pragma once

#include "math.hpp"
#include "table.hpp"

namespace {

using h5score::model::kernels::Fold;
using h5score::model::kernels::Map;
using h5score::model::kernels::Pair;

/// Calls f(vector) -> vector on `count` consecutive elements.
template <class T, class F>
H5SCORE_INLINE void each(T* x, size_t count, F f) {
  for (size_t i = 0; i < count; i += kLanes<T>) store<T>(x + i, f(load<T>(x + i)));
}
/// Calls f(vector, column, row of the vector's first lane) -> vector.
template <class T, class F>
H5SCORE_INLINE void each_in_column(T* x, size_t rows, size_t columns, F f) {
  for (size_t j = 0; j < columns; ++j)
    for (size_t i = 0; i < rows; i += kLanes<T>) store<T>(x + j * rows + i, f(load<T>(x + j * rows + i), j, i));
}
/// accumulator = f(accumulator, vector) over the columns in order.
template <class T, class F>
H5SCORE_INLINE void reduce(const T* x, size_t rows, size_t columns, T* accumulator, F f) {
  for (size_t i = 0; i < rows; i += kLanes<T>) {
    Vec<T> a = load<T>(accumulator + i);
    for (size_t j = 0; j < columns; ++j) a = f(a, load<T>(x + j * rows + i));
    store<T>(accumulator + i, a);
  }
}

template <class T>
void map(Map kind, T a, T* x, size_t count) {
  switch (kind) {
    case Map::relu:
      return each(x, count, [](Vec<T> v) { return at_least<T>(v, all<T>(0)); });
    case Map::relu6:
      return each(x, count, [](Vec<T> v) { return at_most<T>(at_least<T>(v, all<T>(0)), all<T>(6)); });
    case Map::leaky_relu:
      return each(x, count, [a](Vec<T> v) { return v < 0 ? v * a : v; });
    case Map::elu:
      return each(x, count, [a](Vec<T> v) { return v > 0 ? v : a * expm1<T>(at_most<T>(v, all<T>(0))); });
    case Map::selu:  // Klambauer et al. 2017
      return each(x, count, [](Vec<T> v) {
        const T scale = static_cast<T>(1.0507009873554804934193349852946);
        const T alpha_scale = static_cast<T>(1.0507009873554804934193349852946 * 1.6732632423543772848170429916717);
        return v > 0 ? scale * v : alpha_scale * expm1<T>(at_most<T>(v, all<T>(0)));
      });
    case Map::gelu:
      return each(x, count, [](Vec<T> v) { return gelu<T>(v); });
    case Map::gelu_tanh:  // 0.5 (1 + tanh u) = sigmoid(2u), Hendrycks and Gimpel 2016
      return each(x, count, [](Vec<T> v) {
        const Vec<T> cubic = fma(v * v * v, all<T>(static_cast<T>(0.044715)), v);
        return v * sigmoid<T>(cubic * static_cast<T>(2 * 0.79788456080286535588));
      });
    case Map::silu:
      return each(x, count, [](Vec<T> v) { return v * sigmoid<T>(v); });
    case Map::sigmoid:
      return each(x, count, [](Vec<T> v) { return sigmoid<T>(v); });
    case Map::hard_sigmoid:
      return each(x, count, [](Vec<T> v) {
        const Vec<T> line = fma(v, all<T>(static_cast<T>(0.2)), all<T>(static_cast<T>(0.5)));
        return at_most<T>(at_least<T>(line, all<T>(0)), all<T>(1));
      });
    case Map::tanh:
      return each(x, count, [](Vec<T> v) { return tanh<T>(v); });
    case Map::softplus:
      return each(x, count, [](Vec<T> v) { return softplus<T>(v); });
    case Map::softsign:
      return each(x, count, [](Vec<T> v) { return v / (1 + absolute<T>(v)); });
    case Map::exp:
      return each(x, count, [](Vec<T> v) { return exp<T>(v); });
    case Map::erf:
      return each(x, count, [](Vec<T> v) { return erf<T>(v); });
    case Map::log1p:
      return each(x, count, [](Vec<T> v) { return log1p<T>(v); });
    case Map::log_from_one:
      return each(x, count, [](Vec<T> v) { return log1p<T>(v - 1); });
    case Map::step:
      return each(x, count, [a](Vec<T> v) { return v > a ? all<T>(1) : (v == v ? all<T>(0) : v); });
    case Map::sqrt_or_one:
      return each(x, count, [](Vec<T> v) { return v == 0 ? all<T>(1) : square_root<T>(v); });
    case Map::one_if_zero:
      return each(x, count, [](Vec<T> v) { return v == 0 ? all<T>(1) : v; });
    case Map::count:
      return;
  }
}

template <class T>
void fold(Fold kind, const T* x, size_t rows, size_t columns, T* accumulator) {
  switch (kind) {
    case Fold::absolute:
      return reduce(x, rows, columns, accumulator, [](Vec<T> a, Vec<T> v) { return a + absolute<T>(v); });
    case Fold::square:
      return reduce(x, rows, columns, accumulator, [](Vec<T> a, Vec<T> v) { return fma(v, v, a); });
    case Fold::largest_absolute:
      return reduce(x, rows, columns, accumulator, [](Vec<T> a, Vec<T> v) { return at_least<T>(a, absolute<T>(v)); });
    case Fold::largest:
      return reduce(x, rows, columns, accumulator, [](Vec<T> a, Vec<T> v) { return at_least<T>(a, v); });
    case Fold::sum:
      return reduce(x, rows, columns, accumulator, [](Vec<T> a, Vec<T> v) { return a + v; });
    case Fold::count:
      return;
  }
}

template <class T>
bool all_finite(const T* x, size_t count) {
  constexpr size_t chains = 4;
  Vec<T> zero[chains] = {};
  size_t i = 0;
  for (; i + chains * kLanes<T> <= count; i += chains * kLanes<T>)
    for (size_t c = 0; c < chains; ++c) zero[c] = fma(load<T>(x + i + c * kLanes<T>), all<T>(0), zero[c]);
  for (; i < count; i += kLanes<T>) zero[0] = fma(load<T>(x + i), all<T>(0), zero[0]);
  return all_zero<T>((zero[0] + zero[1]) + (zero[2] + zero[3]));
}

template <class T>
void mark_nonfinite(const T* x, size_t rows, size_t columns, T* accumulator) {
  reduce(x, rows, columns, accumulator, [](Vec<T> a, Vec<T> v) { return fma(v, all<T>(0), a); });
}

template <class T>
void mark_infinite(const T* x, size_t rows, size_t columns, T* accumulator) {
  const Vec<T> infinity = all<T>(static_cast<T>(__builtin_inf()));
  const Vec<T> nan = all<T>(static_cast<T>(__builtin_nan("")));
  reduce(x, rows, columns, accumulator, [=](Vec<T> a, Vec<T> v) { return absolute<T>(v) == infinity ? nan : a; });
}

template <class T>
void scale(T* x, size_t rows, size_t columns, const T* offset, const T* factor) {
  if (factor == nullptr)
    return each_in_column(x, rows, columns, [offset](Vec<T> v, size_t j, size_t) { return v - offset[j]; });
  each_in_column(x, rows, columns, [=](Vec<T> v, size_t j, size_t) { return (v - offset[j]) * factor[j]; });
}

template <class T>
void impute(T* x, size_t rows, size_t columns, const T* statistics, T missing, bool missing_is_nan) {
  if (missing_is_nan)
    return each_in_column(x, rows, columns,
                          [=](Vec<T> v, size_t j, size_t) { return v == v ? v : all<T>(statistics[j]); });
  each_in_column(x, rows, columns,
                 [=](Vec<T> v, size_t j, size_t) { return v == missing ? all<T>(statistics[j]) : v; });
}

template <class T>
void mark_missing(T* x, size_t rows, size_t columns, T value, T* mark) {
  const Vec<T> nan = all<T>(static_cast<T>(__builtin_nan("")));
  if (mark != nullptr) reduce(x, rows, columns, mark, [=](Vec<T> m, Vec<T> v) { return v == value ? nan : m; });
  each(x, rows * columns, [=](Vec<T> v) { return v == value ? nan : v; });
}

/// x = f(x, y).
template <class T, class F>
H5SCORE_INLINE void each_pair(T* x, const T* y, size_t count, F f) {
  for (size_t i = 0; i < count; i += kLanes<T>) store<T>(x + i, f(load<T>(x + i), load<T>(y + i)));
}
template <class T>
void combine(Pair kind, T* x, const T* y, size_t count) {
  switch (kind) {
    case Pair::add:
      return each_pair(x, y, count, [](Vec<T> v, Vec<T> w) { return v + w; });
    case Pair::subtract:
      return each_pair(x, y, count, [](Vec<T> v, Vec<T> w) { return v - w; });
    case Pair::multiply:
      return each_pair(x, y, count, [](Vec<T> v, Vec<T> w) { return v * w; });
    case Pair::divide:
      return each_pair(x, y, count, [](Vec<T> v, Vec<T> w) { return v / w; });
    case Pair::minimum:
      return each_pair(x, y, count, [](Vec<T> v, Vec<T> w) { return w == w ? at_most<T>(v, w) : w; });
    case Pair::maximum:
      return each_pair(x, y, count, [](Vec<T> v, Vec<T> w) { return w == w ? at_least<T>(v, w) : w; });
    case Pair::count:
      return;
  }
}

template <class T>
void divide(T* x, size_t rows, size_t columns, const T* divisor) {
  each_in_column(x, rows, columns, [=](Vec<T> v, size_t, size_t i) { return v / load<T>(divisor + i); });
}

template <class T>
void softmax(T* x, size_t rows, size_t columns) {
  for (size_t i = 0; i < rows; i += kLanes<T>) {
    Vec<T> largest = load<T>(x + i);
    for (size_t j = 1; j < columns; ++j) largest = at_least<T>(largest, load<T>(x + j * rows + i));
    Vec<T> sum = all<T>(0);
    for (size_t j = 0; j < columns; ++j) {
      const Vec<T> e = exp_negative<T>(load<T>(x + j * rows + i) - largest);
      store<T>(x + j * rows + i, e);
      sum += e;
    }
    const Vec<T> inverse = 1 / sum;
    for (size_t j = 0; j < columns; ++j) store<T>(x + j * rows + i, load<T>(x + j * rows + i) * inverse);
  }
}

template <class T>
H5SCORE_INLINE void store_labels(std::int32_t* p, Bits<T> label) {
  const auto v = __builtin_convertvector(label, typename Types<T>::Labels);
  __builtin_memcpy(p, &v, sizeof v);
}

template <class T>
void first_largest(const T* x, size_t rows, size_t columns, std::int32_t* index) {
  for (size_t i = 0; i < rows; i += kLanes<T>) {
    Vec<T> largest = load<T>(x + i);
    Bits<T> at{};
    for (size_t j = 1; j < columns; ++j) {
      const Vec<T> v = load<T>(x + j * rows + i);
      at = v > largest ? Bits<T>{} + static_cast<typename Types<T>::Bit>(j) : at;
      largest = at_least<T>(v, largest);
    }
    store_labels<T>(index + i, at);
  }
}

template <class T>
void above(const T* x, size_t count, T threshold, std::int32_t* flag) {
  for (size_t i = 0; i < count; i += kLanes<T>)
    store_labels<T>(flag + i, load<T>(x + i) > threshold ? Bits<T>{} + 1 : Bits<T>{});
}

template <class T>
void exp_shifted(T* x, size_t rows, size_t columns, const T* shift) {
  each_in_column(x, rows, columns, [=](Vec<T> v, size_t, size_t i) { return exp<T>(v - load<T>(shift + i)); });
}

template <class T>
void add_exp(const T* x, size_t rows, size_t columns, const T* shift, T* accumulator) {
  for (size_t i = 0; i < rows; i += kLanes<T>) {
    const Vec<T> s = load<T>(shift + i);
    Vec<T> sum = load<T>(accumulator + i);
    for (size_t j = 0; j < columns; ++j) sum = sum + exp<T>(load<T>(x + j * rows + i) - s);
    store<T>(accumulator + i, sum);
  }
}

template <class T>
void subtract(T* x, size_t rows, size_t columns, const T* first, const T* second) {
  each_in_column(x, rows, columns,
                 [=](Vec<T> v, size_t, size_t i) { return (v - load<T>(first + i)) - load<T>(second + i); });
}

template <class T>
void clip(T* x, size_t count, T low, T high) {
  each(x, count, [=](Vec<T> v) { return at_most<T>(at_least<T>(v, all<T>(low)), all<T>(high)); });
}

template <class T>
void rbf(T* x, size_t rows, size_t columns, const T* row_norm, const T* column_norm, T gamma) {
  each_in_column(x, rows, columns, [=](Vec<T> v, size_t j, size_t i) {
    const Vec<T> distance = fma(v, all<T>(-2), load<T>(row_norm + i) + column_norm[j]);
    return exp<T>(at_least<T>(distance, all<T>(0)) * -gamma);
  });
}

template <class T>
void rbf_distance(T* x, size_t count, T gamma) {
  each(x, count, [=](Vec<T> v) { return exp<T>(v * -gamma); });
}

template <class T>
void polynomial(T* x, size_t count, T gamma, T coef0, std::uint32_t degree) {
  each(x, count, [=](Vec<T> v) {
    Vec<T> power = fma(v, all<T>(gamma), all<T>(coef0));
    Vec<T> result = all<T>(1);
    for (std::uint32_t d = degree; d > 0; d /= 2) {
      if (d % 2 == 1) result = result * power;
      power = power * power;
    }
    return result;
  });
}

template <class T>
void sigmoid_kernel(T* x, size_t count, T gamma, T coef0) {
  each(x, count, [=](Vec<T> v) { return tanh<T>(fma(v, all<T>(gamma), all<T>(coef0))); });
}

}  // namespace

// Kernels at the border between row-major memory and tiles, on every instruction set: products of rows in place,
// results to rows, reductions that heads use. References are plain loops.
#include "h5score/base/aligned_buffer.hpp"

#include "model/kernels/dispatch.hpp"
#include "model/row_product.hpp"
#include "models.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace h5score::model {
namespace {

using testing::Random;

class RowKernels : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "this CPU has no " << to_string(GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Isas, RowKernels, ::testing::Values(Isa::baseline, Isa::avx2, Isa::avx512),
                         [](const auto& test) { return to_string(test.param); });

u64 rounded_up(u64 count) {
  return (count + 15) / 16 * 16;
}

/// rows W + bias of an affine map of `depth` features to `outputs`, feature-major.
template <class T>
std::vector<T> product(Isa isa, const Affine& affine, const Rows<T>& rows) {
  const u64 height = rounded_up(rows.count);
  base::AlignedBuffer out(height * affine.weights.cols * sizeof(T));
  const std::function<void()> no_poll;
  u64 spent = 0;
  const auto& table = kernels::table<T>(isa);
  Meter meter(no_poll, table.lanes, spent);
  RowProduct<T>(affine).run(table, rows, height, out.as<T>(), meter);
  return {out.as<T>(), out.as<T>() + height * affine.weights.cols};
}

template <class T>
void expect_product(Isa isa, u64 depth, u64 outputs, u64 count, u64 gap) {
  Random random(depth * 31 + outputs * 7 + count);
  const Affine affine = testing::affine(random, depth, outputs);
  const u64 stride = depth + gap;
  std::vector<T> place(1 + (count - 1) * stride + depth, std::numeric_limits<T>::quiet_NaN());  // ends with the rows
  const Rows<T> rows{place.data() + 1, stride, count};
  for (u64 i = 0; i < count; ++i)
    for (u64 k = 0; k < depth; ++k) place[1 + i * stride + k] = static_cast<T>(random.uniform(-1, 1));
  const std::vector<T> ours = product(isa, affine, rows);
  const u64 height = rounded_up(count);
  for (u64 i = 0; i < height; ++i)
    for (u64 j = 0; j < outputs; ++j) {
      long double exact = static_cast<T>(affine.bias[j]);
      for (u64 k = 0; k < depth; ++k)
        exact += static_cast<long double>(rows.first[std::min(i, count - 1) * stride + k]) *
                 static_cast<T>(affine.weights.values[k * outputs + j]);
      ASSERT_NEAR(static_cast<double>(ours[j * height + i] - exact), 0, 30 * std::numeric_limits<T>::epsilon())
          << "row " << i << ", output " << j;
    }
}

TEST_P(RowKernels, ProductsOfRowsInPlace) {
  for (u64 depth = 1; depth <= 130; ++depth)
    for (u64 outputs = 1; outputs <= 4; ++outputs) {
      const u64 count = 1 + (depth * 37 + outputs) % 50;
      const u64 gap = depth % 3 == 0 ? 0 : depth % 7;
      SCOPED_TRACE(std::to_string(depth) + " x " + std::to_string(outputs) + ", " + std::to_string(count) + " rows");
      expect_product<float>(GetParam(), depth, outputs, count, gap);
      expect_product<double>(GetParam(), depth, outputs, count, gap);
    }
}

TEST_P(RowKernels, MoreOutputsThanAreUsualMultiplyToo) {
  for (u64 outputs = 5; outputs <= 16; ++outputs) {
    expect_product<float>(GetParam(), 37, outputs, 35, 1);
    expect_product<double>(GetParam(), 37, outputs, 35, 1);
  }
}

template <class T>
void expect_equal_bits(u64 depth, u64 outputs) {
  Random random(depth + outputs);
  const Affine affine = testing::affine(random, depth, outputs);
  std::vector<T> values(33 * depth);
  for (T& v : values) v = static_cast<T>(random.uniform(-1e3, 1e3));
  const Rows<T> rows{values.data(), depth, 33};
  EXPECT_EQ(product(Isa::avx2, affine, rows), product(Isa::avx512, affine, rows)) << depth << " x " << outputs;
}

TEST(RowProducts, HaveTheSameBitsWithAvx2AndAvx512) {
  if (best_isa() < Isa::avx512) GTEST_SKIP() << "this CPU has no AVX-512: nothing to compare";
  for (u64 depth = 1; depth <= 130; ++depth)
    for (u64 outputs = 1; outputs <= 7; ++outputs) {
      expect_equal_bits<float>(depth, outputs);
      expect_equal_bits<double>(depth, outputs);
    }
}

/// Columns of a tile, numbered through.
template <class T>
base::AlignedBuffer numbered(u64 rows, u64 columns) {
  base::AlignedBuffer x(rows * columns * sizeof(T));
  for (u64 i = 0; i < rows * columns; ++i) x.as<T>()[i] = static_cast<T>(i);
  return x;
}

template <class T>
void expect_rows(Isa isa, u64 rows, u64 valid, u64 columns) {
  base::AlignedBuffer x = numbered<T>(rows, columns);
  const unsigned char guard = 0xA5;
  std::vector<unsigned char> out(1 + valid * columns * sizeof(T) + 64, guard);  // not even aligned as its elements are
  kernels::table<T>(isa).to_rows(x.as<T>(), rows, valid, columns, out.data() + 1);
  for (u64 i = 0; i < valid; ++i)
    for (u64 j = 0; j < columns; ++j) {
      T value = 0;
      std::memcpy(&value, out.data() + 1 + (i * columns + j) * sizeof value, sizeof value);
      ASSERT_EQ(value, x.as<T>()[j * rows + i]) << "row " << i << ", column " << j;
    }
  EXPECT_EQ(std::vector<unsigned char>(out.end() - 64, out.end()), std::vector<unsigned char>(64, guard));
}

TEST_P(RowKernels, ResultsGoToRows) {
  for (u64 columns = 1; columns <= 40; ++columns)
    for (const u64 valid : {1U, 15U, 16U, 29U, 48U}) {
      SCOPED_TRACE(std::to_string(columns) + " columns of " + std::to_string(valid) + " rows");
      expect_rows<float>(GetParam(), 48, valid, columns);
      expect_rows<double>(GetParam(), 48, valid, columns);
    }
}

template <class T>
void expect_finite(Isa isa) {
  const auto& table = kernels::table<T>(isa);
  for (const u64 count : {16U, 48U, 64U, 80U, 272U}) {
    base::AlignedBuffer x(count * sizeof(T));
    std::fill_n(x.as<T>(), count, std::numeric_limits<T>::max());
    EXPECT_TRUE(table.all_finite(x.as<T>(), count));
    for (const T bad :
         {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(), -std::numeric_limits<T>::infinity()})
      for (u64 at = 0; at < count; ++at) {
        const T before = std::exchange(x.as<T>()[at], bad);
        ASSERT_FALSE(table.all_finite(x.as<T>(), count)) << at << " of " << count;
        x.as<T>()[at] = before;
      }
  }
}

TEST_P(RowKernels, OneBadValueIsFoundAnywhere) {
  expect_finite<float>(GetParam());
  expect_finite<double>(GetParam());
}

template <class T>
void expect_choices(Isa isa, u64 columns) {
  const u64 rows = 48;
  Random random(columns);
  base::AlignedBuffer x(rows * columns * sizeof(T));
  for (u64 i = 0; i < rows * columns; ++i) x.as<T>()[i] = static_cast<T>(random.below(5)) - 2;  // many ties
  std::vector<std::int32_t> index(rows), flag(rows * columns);
  kernels::table<T>(isa).first_largest(x.as<T>(), rows, columns, index.data());
  kernels::table<T>(isa).above(x.as<T>(), rows * columns, T{1}, flag.data());
  for (u64 i = 0; i < rows; ++i) {
    u64 best = 0;
    for (u64 j = 0; j < columns; ++j) {
      if (x.as<T>()[j * rows + i] > x.as<T>()[best * rows + i]) best = j;
      EXPECT_EQ(flag[j * rows + i], x.as<T>()[j * rows + i] > 1 ? 1 : 0);
    }
    EXPECT_EQ(index[i], static_cast<std::int32_t>(best));
  }
}

TEST_P(RowKernels, TheFirstOfEquallyLargeColumnsWins) {
  for (u64 columns = 1; columns <= 20; ++columns) {
    expect_choices<float>(GetParam(), columns);
    expect_choices<double>(GetParam(), columns);
  }
}

template <class T>
void expect_softmax(Isa isa, u64 columns, double spread) {
  const u64 rows = 32;
  Random random(columns);
  base::AlignedBuffer x(rows * columns * sizeof(T));
  for (u64 i = 0; i < rows * columns; ++i) x.as<T>()[i] = static_cast<T>(random.uniform(-spread, spread));
  const std::vector<T> z(x.as<T>(), x.as<T>() + rows * columns);
  kernels::table<T>(isa).softmax(x.as<T>(), rows, columns);
  for (u64 i = 0; i < rows; ++i) {
    long double largest = z[i];
    long double sum = 0;
    for (u64 j = 0; j < columns; ++j) largest = std::max(largest, static_cast<long double>(z[j * rows + i]));
    for (u64 j = 0; j < columns; ++j) sum += std::exp(z[j * rows + i] - largest);
    for (u64 j = 0; j < columns; ++j) {
      const long double exact = std::exp(z[j * rows + i] - largest) / sum;
      // the difference of two z is rounded before it becomes an exponent
      const double slack = (4 + static_cast<double>(columns) + 2 * spread) * std::numeric_limits<T>::epsilon();
      ASSERT_NEAR(static_cast<double>(x.as<T>()[j * rows + i] - exact), 0, static_cast<double>(exact) * slack + 1e-44);
    }
  }
}

TEST_P(RowKernels, SoftmaxIsAccurateForSmallProbabilitiesToo) {
  for (const u64 columns : {1U, 2U, 3U, 10U, 33U})
    for (const double spread : {1.0, 20.0}) {
      expect_softmax<float>(GetParam(), columns, spread);
      expect_softmax<double>(GetParam(), columns, spread);
    }
}

template <class T>
void expect_weighted(Isa isa, u64 rows, u64 count, u64 outputs) {
  Random random(rows + count + outputs);
  base::AlignedBuffer x = numbered<T>(rows, count);
  base::AlignedBuffer sum(rows * outputs * sizeof(double));
  std::fill_n(sum.as<double>(), rows * outputs, 1e10);
  const std::vector<double> weights = random.vector(count * outputs);
  kernels::table<T>(isa).add_weighted(x.as<T>(), rows, count, weights.data(), outputs, sum.as<double>());
  for (u64 i = 0; i < rows; ++i)
    for (u64 j = 0; j < outputs; ++j) {
      long double exact = 1e10;
      for (u64 m = 0; m < count; ++m)
        exact += static_cast<long double>(x.as<T>()[m * rows + i]) * weights[m * outputs + j];
      ASSERT_NEAR(static_cast<double>(sum.as<double>()[j * rows + i] - exact), 0, 1e-4) << i << ", " << j;
    }
}

TEST_P(RowKernels, WeightedSumsAreKeptInDouble) {
  for (const u64 rows : {16U, 48U, 64U})
    for (u64 outputs = 1; outputs <= 7; ++outputs) {
      expect_weighted<float>(GetParam(), rows, 3 * outputs, outputs);
      expect_weighted<double>(GetParam(), rows, 3 * outputs, outputs);
    }
}

}  // namespace
}  // namespace h5score::model

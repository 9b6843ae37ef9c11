// Errors of the elementary functions in units in the last place (ulp) against the C library in extended precision, over
// the whole range with overflow, gradual underflow, infinities and NaN; on every instruction set.
#include "h5score/base/aligned_buffer.hpp"

#include "model/kernels/dispatch.hpp"
#include "models.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace h5score::model {
namespace {

using kernels::Map;
using Real = long double;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <class T>
std::vector<T> mapped(Isa isa, Map map, T a, const std::vector<T>& x) {
  base::AlignedBuffer buffer((x.size() + 15) / 16 * 16 * sizeof(T));
  std::fill_n(buffer.as<T>(), buffer.size() / sizeof(T), T{0});
  std::copy(x.begin(), x.end(), buffer.as<T>());
  kernels::table<T>(isa).map(map, a, buffer.as<T>(), buffer.size() / sizeof(T));
  return {buffer.as<T>(), buffer.as<T>() + x.size()};
}

/// |y - exact| in ulps of T at `exact`; the least denormal counts as one there.
template <class T>
double ulps(T y, Real exact) {
  if (std::isnan(exact)) return std::isnan(y) ? 0 : kInf;
  if (std::isinf(static_cast<T>(exact))) return y == static_cast<T>(exact) ? 0 : kInf;
  int exponent = 0;
  std::frexp(exact, &exponent);
  const int least = std::numeric_limits<T>::min_exponent;
  const Real ulp = std::ldexp(Real{1}, std::max(exponent, least) - std::numeric_limits<T>::digits);
  const Real error = std::abs(static_cast<Real>(y) - exact) / ulp;
  return std::isnan(error) ? kInf : static_cast<double>(error);
}

struct Function {
  const char* name;
  Map map;
  Real (*exact)(Real);
  double low, high;     ///< range of the test
  double float32_ulps;  ///< largest error allowed
  double float64_ulps;
};

Real sigmoid(Real x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
Real half_erfc(Real x) {
  return std::erfc(-x / std::sqrt(Real{2})) / 2;
}

// gelu's tail loses bits as exp(-x^2/2) amplifies the rounding of x^2; tested to 1e-13 of the value below.
const Function kFunctions[] = {
    {"exp", Map::exp, [](Real x) { return std::exp(x); }, -760, 720, 1.5, 1.5},
    {"exp near 0", Map::exp, [](Real x) { return std::exp(x); }, -1, 1, 1.5, 1.5},
    {"log1p", Map::log1p, [](Real x) { return std::log1p(x); }, -1, 3, 2, 2},
    {"log1p large", Map::log1p, [](Real x) { return std::log1p(x); }, 0, 1e6, 2, 2},
    {"tanh", Map::tanh, [](Real x) { return std::tanh(x); }, -25, 25, 3, 3},
    {"tanh near 0", Map::tanh, [](Real x) { return std::tanh(x); }, -0.5, 0.5, 3, 3},
    {"sigmoid", Map::sigmoid, sigmoid, -760, 760, 3, 3},
    {"sigmoid near 0", Map::sigmoid, sigmoid, -20, 20, 3, 3},
    {"softplus", Map::softplus, [](Real x) { return std::max(x, Real{0}) + std::log1p(std::exp(-std::abs(x))); }, -700,
     100, 3.5, 3.5},
    {"softplus near 0", Map::softplus, [](Real x) { return std::max(x, Real{0}) + std::log1p(std::exp(-std::abs(x))); },
     -9, 9, 3.5, 3.5},
    {"silu", Map::silu, [](Real x) { return x * sigmoid(x); }, -80, 80, 4, 4},
    {"elu", Map::elu, [](Real x) { return x > 0 ? x : std::expm1(x); }, -60, 10, 3, 3},
    {"erf", Map::erf, [](Real x) { return std::erf(x); }, -7, 7, 3, 3},
    {"erf near 0", Map::erf, [](Real x) { return std::erf(x); }, -0.6, 0.6, 3, 3},
    {"log from one", Map::log_from_one, [](Real x) { return std::log(x); }, 1, 3, 3, 3},
    {"log from one, large", Map::log_from_one, [](Real x) { return std::log(x); }, 1, 1e6, 3, 3},
    {"gelu", Map::gelu, [](Real x) { return x * half_erfc(x); }, -1.5, 10, 8, 8},
};

template <class T>
double largest_error(Isa isa, const Function& f) {
  testing::Random random(11);
  std::vector<T> x;
  for (int i = 0; i < 20000; ++i) x.push_back(static_cast<T>(random.uniform(f.low, f.high)));
  for (int e = -300; e < 0 && f.low <= 0; e += 3) {  // towards 0 from both sides
    x.push_back(static_cast<T>(std::pow(10, e)));
    if (f.low < 0) x.push_back(static_cast<T>(-std::pow(10, e)));
  }
  const std::vector<T> y = mapped<T>(isa, f.map, 1, x);
  double worst = 0;
  for (u64 i = 0; i < x.size(); ++i) {
    const double error = ulps(y[i], f.exact(static_cast<Real>(x[i])));
    if (error > worst) worst = error;
  }
  return worst;
}

class Accuracy : public ::testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > best_isa()) GTEST_SKIP() << "this CPU has no " << to_string(GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Isas, Accuracy, ::testing::Values(Isa::baseline, Isa::avx2, Isa::avx512),
                         [](const auto& test) { return to_string(test.param); });

TEST_P(Accuracy, ErrorsStayBelowAFewUlps) {
  for (const Function& f : kFunctions) {
    const double single = largest_error<float>(GetParam(), f);
    const double wide = largest_error<double>(GetParam(), f);
    EXPECT_LE(single, f.float32_ulps) << f.name;
    EXPECT_LE(wide, f.float64_ulps) << f.name;
    RecordProperty(std::string(f.name) + " float32", std::to_string(single));
    RecordProperty(std::string(f.name) + " float64", std::to_string(wide));
  }
}

TEST_P(Accuracy, GeluIsAccurateInItsTail) {
  testing::Random random(12);
  const std::vector<double> x = random.vector(5000, -37, -1);
  const std::vector<double> y = mapped<double>(GetParam(), Map::gelu, 0, x);
  for (u64 i = 0; i < x.size(); ++i) {
    const Real exact = x[i] * half_erfc(x[i]);
    ASSERT_NEAR(static_cast<double>(y[i] / exact), 1, 5e-13) << x[i];
  }
}

template <class T>
void expect_special_values(Isa isa) {
  const auto at = [isa](Map map, double x) { return mapped<T>(isa, map, 1, {static_cast<T>(x)})[0]; };
  EXPECT_EQ(at(Map::exp, kInf), static_cast<T>(kInf));
  EXPECT_EQ(at(Map::exp, -kInf), 0);
  EXPECT_EQ(at(Map::exp, 0), 1);
  EXPECT_EQ(at(Map::exp, 1e30), static_cast<T>(kInf));
  EXPECT_EQ(at(Map::exp, -1e30), 0);
  EXPECT_EQ(at(Map::log1p, -1), static_cast<T>(-kInf));
  EXPECT_EQ(at(Map::log1p, kInf), static_cast<T>(kInf));
  EXPECT_TRUE(std::isnan(at(Map::log1p, -1.5)));
  EXPECT_TRUE(std::isnan(at(Map::log1p, -kInf)));
  EXPECT_EQ(at(Map::tanh, kInf), 1);
  EXPECT_EQ(at(Map::tanh, -kInf), -1);
  EXPECT_TRUE(std::signbit(at(Map::tanh, -0.0)));
  EXPECT_EQ(at(Map::sigmoid, kInf), 1);
  EXPECT_EQ(at(Map::sigmoid, -kInf), 0);
  EXPECT_EQ(at(Map::sigmoid, 0), static_cast<T>(0.5));
  EXPECT_EQ(at(Map::softplus, kInf), static_cast<T>(kInf));
  EXPECT_EQ(at(Map::elu, -kInf), -1);
  EXPECT_EQ(at(Map::erf, kInf), 1);
  EXPECT_EQ(at(Map::erf, -kInf), -1);
  EXPECT_EQ(at(Map::step, 1), 0);
  EXPECT_EQ(at(Map::step, kInf), 1);
  for (u64 map = 0; map < static_cast<u64>(Map::count); ++map)
    EXPECT_TRUE(std::isnan(at(static_cast<Map>(map), kNan))) << "map " << map << " loses a NaN";
}

TEST_P(Accuracy, SpecialValues) {
  expect_special_values<float>(GetParam());
  expect_special_values<double>(GetParam());
}

// AVX-512 scales by a power of two in one instruction, AVX2 in two products: results that are no normal numbers too.
template <class T>
void expect_equal_bits(Map map) {
  testing::Random random(14);
  std::vector<T> x{0, static_cast<T>(kInf), static_cast<T>(-kInf), static_cast<T>(1e30), static_cast<T>(-1e30)};
  for (int i = 0; i < 50000; ++i) x.push_back(static_cast<T>(random.uniform(-110, 95)));
  for (int i = 0; i < 50000; ++i) x.push_back(static_cast<T>(random.uniform(-750, 720)));
  EXPECT_EQ(mapped<T>(Isa::avx2, map, 1, x), mapped<T>(Isa::avx512, map, 1, x)) << "map " << static_cast<int>(map);
}

TEST(InstructionSets, GiveTheSameBits) {
  if (best_isa() < Isa::avx512) GTEST_SKIP() << "this CPU has no AVX-512: nothing to compare";
  for (const Map map : {Map::exp, Map::sigmoid, Map::tanh, Map::elu, Map::softplus}) {
    expect_equal_bits<float>(map);
    expect_equal_bits<double>(map);
  }
}

// A later kernel may sum in another order; the reference is the plain sum in extended precision.
template <class T>
void expect_products(Isa isa) {
  const auto& table = kernels::table<T>(isa);
  testing::Random random(13);
  for (const u64 rows : {16U, 32U, 64U, 256U})
    for (u64 n = 1; n <= kernels::kPanelColumns; ++n) {
      const u64 depth = 1 + random.below(70);
      base::AlignedBuffer a(rows * depth * sizeof(T)), c(rows * n * sizeof(T));
      std::vector<T> panel(depth * n), init(n);
      for (u64 i = 0; i < rows * depth; ++i) a.as<T>()[i] = static_cast<T>(random.uniform(-1, 1));
      for (T& w : panel) w = static_cast<T>(random.uniform(-1, 1));
      for (T& v : init) v = static_cast<T>(random.uniform(-1, 1));
      for (const bool distance : {false, true}) {
        (distance ? table.panel_distance : table.panel_product)(a.as<T>(), rows, depth, panel.data(), n, c.as<T>(),
                                                                init.data());
        for (u64 i = 0; i < rows; ++i)
          for (u64 j = 0; j < n; ++j) {
            Real sum = init[j];
            for (u64 k = 0; k < depth; ++k) {
              const Real x = a.as<T>()[k * rows + i];
              const Real w = panel[k * n + j];
              sum += distance ? (x - w) * (x - w) : x * w;
            }
            ASSERT_NEAR(static_cast<double>(c.as<T>()[j * rows + i] - sum), 0,
                        1000 * std::numeric_limits<T>::epsilon());
          }
      }
    }
}

TEST_P(Accuracy, PanelsMultiplyRight) {
  expect_products<float>(GetParam());
  expect_products<double>(GetParam());
}

// The rows lie anywhere, at the very end of what may be read; rows that are not there repeat the last one.
template <class T>
void expect_transposed(Isa isa, u64 columns, u64 valid) {
  const u64 rows = 32;
  const u64 stride = columns + 3;
  const std::vector<T> in = [&] {
    std::vector<T> values((valid - 1) * stride + columns);
    for (u64 i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i);
    return values;
  }();
  base::AlignedBuffer out(rows * columns * sizeof(T));
  const u64 cut = columns / 3;
  kernels::table<T>(isa).transpose(in.data(), stride, valid, rows, 0, cut, out.as<T>());
  kernels::table<T>(isa).transpose(in.data(), stride, valid, rows, cut, columns, out.as<T>());
  for (u64 i = 0; i < rows; ++i)
    for (u64 j = 0; j < columns; ++j)
      ASSERT_EQ(out.as<T>()[j * rows + i], static_cast<T>(std::min(i, valid - 1) * stride + j)) << i << ", " << j;
}

TEST_P(Accuracy, TransposeMovesEveryElement) {
  for (u64 columns = 1; columns <= 70; ++columns)
    for (const u64 valid : {1U, 17U, 31U, 32U}) {
      SCOPED_TRACE(std::to_string(columns) + " columns of " + std::to_string(valid) + " rows");
      expect_transposed<float>(GetParam(), columns, valid);
      expect_transposed<double>(GetParam(), columns, valid);
    }
}

}  // namespace
}  // namespace h5score::model

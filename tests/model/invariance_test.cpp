// The central property: a row's result depends on that row alone, bit for bit, whatever lies beside it and wherever it
// lies; and AVX2 and AVX-512 give the same bits.
#include "models.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace h5score::model {
namespace {

using testing::NamedModel;
using testing::Random;

std::vector<Isa> all_isas() {
  std::vector<Isa> isas;
  for (const Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
    if (isa <= best_isa()) isas.push_back(isa);
  return isas;
}

/// Every family in one precision on one instruction set.
using Case = std::tuple<Precision, Isa>;
class Invariance : public ::testing::TestWithParam<Case> {
 protected:
  template <class Check>
  void for_every_family(Check check) const {
    for (const NamedModel& named : testing::every_family()) {
      SCOPED_TRACE(named.name);
      check(*compile(named.model, {std::get<Precision>(GetParam()), std::get<Isa>(GetParam())}));
    }
  }
};

/// Row `row` of all result columns, one after the other.
base::Bytes row_bytes(const Evaluator& evaluator, const std::vector<base::Bytes>& results, u64 row) {
  base::Bytes bytes;
  for (u64 i = 0; i < results.size(); ++i) {
    const u64 size = evaluator.columns()[i].row_bytes();
    const auto begin = results[i].begin() + static_cast<std::ptrdiff_t>(row * size);
    bytes.insert(bytes.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
  }
  return bytes;
}

TEST_P(Invariance, PermutedRowsGivePermutedBytes) {
  for_every_family([](const Evaluator& e) {
    const u64 d = e.features();
    const u64 n = 2 * e.tile_rows() + 5;
    Random random(7);
    const std::vector<double> rows = random.vector(n * d, -2, 2);
    const auto straight = score_rows(e, rows.data(), n);
    std::vector<u64> order(n);
    std::iota(order.begin(), order.end(), u64{0});
    for (u64 i = n - 1; i > 0; --i) std::swap(order[i], order[random.below(i + 1)]);
    std::vector<double> permuted(rows.size());
    for (u64 i = 0; i < n; ++i) std::copy_n(&rows[order[i] * d], d, &permuted[i * d]);
    const auto shuffled = score_rows(e, permuted.data(), n);
    for (u64 i = 0; i < n; ++i) ASSERT_EQ(row_bytes(e, shuffled, i), row_bytes(e, straight, order[i])) << "row " << i;
  });
}

TEST_P(Invariance, ValidRowsAndNeighboursDoNotMatter) {
  for_every_family([](const Evaluator& e) {
    const u64 d = e.features();
    Random random(8);
    const std::vector<double> row = random.vector(d, -2, 2);
    const auto alone = row_bytes(e, score_rows(e, row.data(), 1), 0);
    for (const double neighbour : {std::nan(""), std::numeric_limits<double>::infinity(), 1e300, 0.0}) {
      const u64 n = e.tile_rows() - 1;
      std::vector<double> rows(n * d, neighbour);
      const u64 at = random.below(n);
      std::copy_n(row.data(), d, &rows[at * d]);
      EXPECT_EQ(row_bytes(e, score_rows(e, rows.data(), n), at), alone) << neighbour;
    }
  });
}

std::string name_of(const ::testing::TestParamInfo<Case>& test) {
  return std::string(to_string(std::get<Precision>(test.param))) + "_" + to_string(std::get<Isa>(test.param));
}
INSTANTIATE_TEST_SUITE_P(EveryFamily, Invariance,
                         ::testing::Combine(::testing::Values(Precision::float32, Precision::float64),
                                            ::testing::ValuesIn(all_isas())),
                         name_of);

TEST(InstructionSets, Avx2AndAvx512GiveTheSameBytes) {
  if (best_isa() < Isa::avx512) GTEST_SKIP() << "this CPU has no AVX-512: nothing to compare";
  for (const NamedModel& named : testing::every_family())
    for (const Precision precision : {Precision::float32, Precision::float64}) {
      const auto narrow = compile(named.model, {precision, Isa::avx2});
      const auto wide = compile(named.model, {precision, Isa::avx512});
      EXPECT_EQ(narrow->tile_rows(), wide->tile_rows());
      EXPECT_EQ(probe(*narrow), probe(*wide)) << named.name << " " << to_string(precision);
    }
}

}  // namespace
}  // namespace h5score::model

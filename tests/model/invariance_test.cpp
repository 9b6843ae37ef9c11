// The central property: a row's result depends on that row alone, bit for bit, whatever lies beside it and wherever it
// lies; and AVX2 and AVX-512 give the same bits.
#include "models.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
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

/// Results of `count` rows, scored in calls of `step` rows: score(first, count, workspace, results).
template <class Score>
std::vector<base::Bytes> score_in_calls(const Evaluator& e, u64 count, u64 step, Score score) {
  std::vector<base::Bytes> out;
  for (const ResultColumn& column : e.columns()) out.emplace_back(count * column.row_bytes());
  const auto workspace = e.make_workspace();
  for (u64 first = 0; first < count; first += step) {
    TileResults results;
    std::byte** const places[] = {&results.prediction, &results.label, &results.probability, &results.decision,
                                  &results.status};
    for (u64 i = 0; i < out.size(); ++i)
      *places[static_cast<u64>(e.columns()[i].kind)] = out[i].data() + first * e.columns()[i].row_bytes();
    score(first, std::min(step, count - first), *workspace, results);
  }
  return out;
}

/// Rows that begin anywhere in memory, `stride` elements apart.
template <class T>
std::vector<base::Bytes> score_in_place(const Evaluator& e, const T* rows, u64 stride, u64 count, u64 step) {
  return score_in_calls(e, count, step, [&](u64 first, u64 n, Workspace& workspace, const TileResults& results) {
    e.score(reinterpret_cast<const std::byte*>(rows + first * stride), stride, n, workspace, results, {});
  });
}

template <class T>
void expect_the_same_anywhere(const Evaluator& e) {
  const u64 d = e.features();
  const u64 n = e.tile_rows() + 37;
  Random random(9);
  const std::vector<double> rows = random.vector(n * d, -2, 2);
  const auto straight = score_rows(e, rows.data(), n);
  for (const u64 gap : {0U, 1U, 19U})
    for (const u64 step : {u64{1} + e.tile_rows() / 5, n}) {
      const u64 stride = d + gap;
      const u64 shift = 1 + gap % 3;
      std::vector<T> place(shift + (n - 1) * stride + d, std::numeric_limits<T>::quiet_NaN());
      for (u64 i = 0; i < n; ++i)
        for (u64 j = 0; j < d; ++j) place[shift + i * stride + j] = static_cast<T>(rows[i * d + j]);
      EXPECT_EQ(score_in_place(e, place.data() + shift, stride, n, step), straight) << gap << " " << step;
    }
}

TEST_P(Invariance, PlaceStrideAndCountDoNotMatter) {
  for_every_family([](const Evaluator& e) {
    if (e.precision() == Precision::float32) return expect_the_same_anywhere<float>(e);
    expect_the_same_anywhere<double>(e);
  });
}

/// Memory that ends where a page begins that nobody may touch.
class GuardedMemory {
 public:
  explicit GuardedMemory(u64 size) : size_(size), pages_((size + kPage - 1) / kPage * kPage) {
    memory_ = static_cast<std::byte*>(
        mmap(nullptr, pages_ + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory_ == MAP_FAILED || mprotect(memory_ + pages_, kPage, PROT_NONE) != 0) std::abort();
  }
  ~GuardedMemory() { munmap(memory_, pages_ + kPage); }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  [[nodiscard]] std::byte* data() { return memory_ + (pages_ - size_); }

 private:
  static constexpr u64 kPage = 4096;
  u64 size_;
  u64 pages_;
  std::byte* memory_ = nullptr;
};

template <class T>
void expect_nothing_read_behind(const Evaluator& e, u64 count) {
  const u64 d = e.features();
  Random random(count);
  const std::vector<double> rows = random.vector(count * d, -2, 2);
  GuardedMemory guarded(rows.size() * sizeof(T));
  T* const place = reinterpret_cast<T*>(guarded.data());
  std::transform(rows.begin(), rows.end(), place, [](double v) { return static_cast<T>(v); });
  EXPECT_EQ(score_in_place(e, place, d, count, std::max(count, u64{1})), score_rows(e, rows.data(), count)) << count;
}

TEST_P(Invariance, NothingIsReadBehindTheLastRow) {
  const auto& [precision, isa] = GetParam();
  Random random(10);
  for (const u64 d : {1U, 3U, 8U, 15U, 17U, 37U, 100U})
    for (const u64 outputs : {1U, 2U, 4U, 10U, 40U}) {
      Model model;
      model.n_features = d;
      model.stages = {testing::affine(random, d, outputs)};
      const auto e = compile(model, {precision, isa});
      for (const u64 count : {0U, 1U, 15U, 16U, 17U, 65U, 300U})
        precision == Precision::float32 ? expect_nothing_read_behind<float>(*e, count)
                                        : expect_nothing_read_behind<double>(*e, count);
    }
}

/// The same rows column by column, each column in front of a page that nobody may touch, scored in calls of `step`
/// rows.
template <class T>
std::vector<base::Bytes> score_columns(const Evaluator& e, const std::vector<double>& rows, u64 step) {
  const u64 d = e.features();
  const u64 count = rows.size() / d;
  std::vector<std::unique_ptr<GuardedMemory>> memory;
  std::vector<const std::byte*> columns;
  for (u64 j = 0; j < d; ++j) {
    memory.push_back(std::make_unique<GuardedMemory>(count * sizeof(T)));
    columns.push_back(memory.back()->data());
    T* const column = reinterpret_cast<T*>(memory.back()->data());
    for (u64 i = 0; i < count; ++i) column[i] = static_cast<T>(rows[i * d + j]);
  }
  return score_in_calls(e, count, step, [&](u64 first, u64 n, Workspace& workspace, const TileResults& results) {
    e.score_columns(columns.data(), first, n, workspace, results, {});
  });
}

void expect_columns_give_the_same(const Evaluator& e, const std::vector<double>& rows) {
  const u64 count = rows.size() / e.features();
  const auto straight = score_rows(e, rows.data(), count);
  for (const u64 step : {u64{1} + e.tile_rows() / 5, count})
    EXPECT_EQ(e.precision() == Precision::float32 ? score_columns<float>(e, rows, step)
                                                  : score_columns<double>(e, rows, step),
              straight)
        << count << " rows, " << step << " at once";
}

TEST_P(Invariance, ColumnsGiveTheSameBytesAsRows) {
  for_every_family([](const Evaluator& e) {
    const u64 d = e.features();
    Random random(11);
    std::vector<double> rows = random.vector((e.tile_rows() + 37) * d, -2, 2);
    rows[3 * d] = std::nan("");
    rows[20 * d + d - 1] = std::numeric_limits<double>::infinity();
    expect_columns_give_the_same(e, rows);
  });
}

TEST_P(Invariance, FewOutputsOfColumnsAreThoseOfRows) {
  const auto& [precision, isa] = GetParam();
  Random random(12);
  for (const u64 d : {1U, 3U, 8U, 15U, 16U, 17U, 37U, 100U})
    for (const u64 outputs : {1U, 2U, 3U, 4U}) {
      Model model;
      model.n_features = d;
      model.stages = {testing::affine(random, d, outputs)};
      const auto e = compile(model, {precision, isa});
      for (const u64 count : {1U, 2U, 15U, 16U, 17U, 300U}) {
        SCOPED_TRACE(std::to_string(d) + " x " + std::to_string(outputs));
        expect_columns_give_the_same(*e, random.vector(count * d, -2, 2));
      }
    }
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

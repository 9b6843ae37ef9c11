// Parts of tables without files: names that pandas pickled, gathering of columns of one element.
#include "storage/gather.hpp"
#include "storage/pandas_names.hpp"
#include "storage/transpose.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

namespace h5score::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PickledNames, ReadsListsOfTextsAndIntegers) {
  EXPECT_THAT(pickled_names("(lp0\nVa\np1\naVb c\np2\na."), ElementsAre("a", "b c"));
  EXPECT_THAT(pickled_names("(lp0\nI0\naI12\na."), ElementsAre("0", "12"));
  EXPECT_THAT(pickled_names("(lp0\nVgr\xf6\\u00dfe\np1\naV\\U0001d11e\\u20ac\np2\na."),
              ElementsAre("gr\xc3\xb6\xc3\x9f"
                          "e",
                          "\xf0\x9d\x84\x9e\xe2\x82\xac"));
  EXPECT_THAT(pickled_names("(lp0\n."), IsEmpty());
}

TEST(PickledNames, ReadsNothingElse) {
  for (const std::string text : {"", "(", "(lp0\nVa\np1\na", "cos\nsystem\n(S'true'\ntR.", "(lp0\nVa\nVb\na.",
                                 "(lp0\na.", "(lp0\nV\\u12\na.", "(lp0\nV\\uzzzz\na.", "(dp0\n.", "(lp0\nVa\na.more"})
    EXPECT_THAT(pickled_names(text), IsEmpty()) << text;
}

template <class T>
void check_transpose() {
  for (const u64 rows : {0U, 1U, 3U, 4U, 7U, 64U}) {
    std::vector<T> in(4 * 70);
    std::iota(in.begin(), in.end(), T{0});
    std::vector<T> out(rows * 5 + 1, T{-1});
    const T* first = in.data();
    transpose<T>({first, first + 70, first + 140, first + 210}, rows, out.data(), 5);
    for (u64 row = 0; row < rows; ++row) {
      for (u64 column = 0; column < 4; ++column) EXPECT_EQ(out[row * 5 + column], in[column * 70 + row]);
      EXPECT_EQ(out[row * 5 + 4], T{-1});
    }
    EXPECT_EQ(out.back(), T{-1});
  }
}

TEST(Transpose, MovesColumnsToRows) {
  check_transpose<float>();
  check_transpose<double>();
}

TEST(TotalFactor, LeavesRowsOfZerosAlone) {
  EXPECT_EQ(total_factor(1e4, 50), 200);
  EXPECT_EQ(total_factor(1e4, 0), 1);
  EXPECT_TRUE(std::isnan(total_factor(1e4, INFINITY)));
}

// Seven columns of their own arrays: a batch of four and three single ones, over more rows than a panel.
TEST(Gather, BatchesOfColumnsEqualSingleOnes) {
  constexpr u64 columns = 7;
  constexpr u64 rows = 601;
  RowFormat run;
  run.kind = TableKind::columns;
  run.columns = columns;
  FileFormat file;
  std::vector<std::vector<float>> stored(columns, std::vector<float>(rows));
  std::vector<ArrayRows> arrays;
  Binding binding;
  for (u64 c = 0; c < columns; ++c) {
    for (u64 row = 0; row < rows; ++row) stored[c][row] = static_cast<float>(1000 * c + row);
    arrays.push_back({reinterpret_cast<const std::byte*>(stored[c].data()), sizeof(float)});
    file.arrays.emplace_back();
    file.columns.push_back({c, {.array = static_cast<u32>(c), .offset = 0, .type = {}}});
    binding.features.push_back({.column = columns - 1 - c});
  }
  const Gather gather(run, file, binding);
  std::vector<double> tile(rows * 8, -1.0);
  gather.fill(std::span<const ArrayRows>(arrays), 0, rows, tile.data(), 8);
  for (u64 row = 0; row < rows; ++row) {
    for (u64 c = 0; c < columns; ++c) ASSERT_EQ(tile[row * 8 + c], stored[columns - 1 - c][row]) << row << ' ' << c;
    ASSERT_EQ(tile[row * 8 + 7], 0.0);
  }
}

}  // namespace
}  // namespace h5score::storage

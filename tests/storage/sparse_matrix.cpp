// Matrices stored by column as rows, whatever the memory.
#include "storage/sparse_matrix.hpp"

#include "h5score/base/error.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/storage/name_node.hpp"
#include "h5score/storage/posix_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <random>

namespace h5score::storage {
namespace {

using base::i64;
using base::RowRange;

constexpr u64 rows = 50;
constexpr u64 columns = 13;

struct Element {
  u64 row;
  u64 column;
  double value;
  bool operator==(const Element&) const = default;
};

/// A file in a folder of its own, with a matrix by columns at /X.
class SparseMatrix : public testing::Test {
 protected:
  SparseMatrix() {
    std::mt19937_64 random(3);
    std::vector<double> values;
    std::vector<i64> indices;
    std::vector<i64> offsets{0};
    for (u64 column = 0; column < columns; ++column) {
      for (u64 row = 0; row < rows && column != 5; ++row) {
        if (random() % 4 != 0) continue;
        elements.push_back({row, column, static_cast<double>(random() % 100)});
        indices.push_back(static_cast<i64>(row));
        values.push_back(elements.back().value);
      }
      offsets.push_back(static_cast<i64>(values.size()));
    }
    const h5::Handle file = h5::create_file(path);
    h5::write_doubles(file, "X/data", {values.size()}, values);
    h5::write_integers(file, "X/indices", {indices.size()}, indices);
    h5::write_integers(file, "X/indptr", {offsets.size()}, offsets);
    facts = {
        .name = "/X", .rows = rows, .columns = columns, .by_column = true, .offsets = {}, .indices = {}, .values = {}};
  }
  ~SparseMatrix() override { ::unlink(path.c_str()); }

  /// The elements that transpose() gives, in its order.
  std::vector<Element> transposed(const std::vector<bool>& wanted, RowRange range, u64 memory) {
    h5::Sandbox name_node(storage_functions());
    facts.offsets = h5::describe_dataset(path, "/X/indptr");
    facts.indices = h5::describe_dataset(path, "/X/indices");
    facts.values = h5::describe_dataset(path, "/X/data");
    const auto result = transpose(name_node, facts, wanted, range, memory);
    const PosixFile spool(PosixCalls::system(), result.bytes->path, O_RDONLY);
    std::vector<u32> column(result.offsets.back());
    std::vector<double> value(result.offsets.back());
    spool.read(std::as_writable_bytes(std::span(column)), result.indices_address);
    spool.read(std::as_writable_bytes(std::span(value)), result.values_address);
    std::vector<Element> found;
    for (u64 row = 0; row < range.size(); ++row)
      for (u64 e = result.offsets[row]; e < result.offsets[row + 1]; ++e)
        found.push_back({range.begin + row, column[e], value[e]});
    return found;
  }

  std::vector<Element> expected(const std::vector<bool>& wanted, RowRange range) const {
    std::vector<Element> result;
    for (u64 row = range.begin; row < range.end; ++row)
      for (const auto& e : elements)
        if (e.row == row && (wanted.empty() || wanted[e.column])) result.push_back(e);
    return result;
  }

  std::string path = testing::TempDir() + "sparse_matrix_" + std::to_string(::getpid()) + ".h5";
  SparseFacts facts;
  std::vector<Element> elements;
};

TEST_F(SparseMatrix, RowsAreTheSameWhateverTheMemory) {
  for (const u64 memory : {u64{0}, u64{100}, u64{700}, u64{1} << 30})
    EXPECT_EQ(transposed({}, {0, rows}, memory), expected({}, {0, rows})) << memory;
}

TEST_F(SparseMatrix, OnlySelectedRowsAndColumnsAreKept) {
  std::vector<bool> wanted(columns, false);
  for (const u64 column : {0U, 4U, 5U, 6U, 12U}) wanted[column] = true;
  EXPECT_EQ(transposed(wanted, {7, 31}, 200), expected(wanted, {7, 31}));
  EXPECT_EQ(transposed(std::vector<bool>(columns, false), {0, rows}, 200), std::vector<Element>());
}

TEST_F(SparseMatrix, AMissingFolderForTheTemporaryFileIsAnError) {
  ASSERT_EQ(::setenv("TMPDIR", "/nonexistent", 1), 0);
  EXPECT_THROW(transposed({}, {0, rows}, 1000), base::Error);
  ASSERT_EQ(::unsetenv("TMPDIR"), 0);
}

}  // namespace
}  // namespace h5score::storage

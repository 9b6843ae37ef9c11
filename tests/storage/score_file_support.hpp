// What the tests of the score file share: an example of every kind of column, with contents that follow from row
// numbers.
#pragma once

#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/storage/score_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace h5score::storage::testing {

using base::Bytes;
using base::ElementKind;
using base::ExitCode;
using base::i64;
using base::u32;
using base::u64;

inline ScoreColumn column(const std::string& path, base::ElementType type, std::vector<u64> row_shape = {},
                          const std::string& dimension = {}) {
  ScoreColumn result;
  result.path = path;
  result.type = type;
  result.row_shape = std::move(row_shape);
  result.dimension = dimension;
  return result;
}

/// `rows` rows in blocks of `block_rows`: results of two models, a big-endian and a text passthrough column.
inline ScoreFileSpec example(u64 rows, u64 block_rows) {
  ScoreFileSpec spec;
  spec.rows = rows;
  spec.columns = {column("/z/prediction", {ElementKind::floating, 8}, {2}, "/z/targets"),
                  column("/id", {ElementKind::signed_integer, 8, true}),
                  column("/probability", {ElementKind::floating, 4}, {3}, "/classes"),
                  column("/decision", {ElementKind::floating, 4}, {3}, "/pair"),
                  label_column("/label", "/classes"),
                  column("/name", {ElementKind::fixed_string, 5, false, true}),
                  status_column("/status")};
  spec.boundaries = {0};
  while (spec.boundaries.back() < rows) spec.boundaries.push_back(std::min(rows, spec.boundaries.back() + block_rows));
  spec.tables = {{"/classes", std::vector<std::string>{"galaxy", "étoile", "qso"}},
                 {"/z/targets", std::vector<std::string>{"z", "sigma"}}};
  spec.inputs = {{"/data/a b.h5", "/x", 0, rows / 2, 123456, 1700000000123456789},
                 {"/data/ü.h5", "/x", rows / 2, rows - rows / 2, 99, 1}};
  spec.identity = R"({"model":{"hash":"abc","features":3},"inputs":[{"path":"a b.h5","size":123456}],"isa":"avx2"})";
  return spec;
}

/// The results of a block: each byte follows from its column, row and place in the row; numbers are finite.
inline Bytes results_of(const ScoreFileSpec& spec, u64 block) {
  Bytes bytes;
  for (std::size_t c = 0; c < spec.columns.size(); ++c)
    for (u64 row = spec.boundaries[block]; row < spec.boundaries[block + 1]; ++row)
      for (u64 i = 0; i < spec.columns[c].row_bytes(); ++i)
        bytes.push_back(static_cast<std::byte>(65 + (row * 7 + c * 5 + i) % 26));
  return bytes;
}

inline void write_block(ScoreFile& file, const ScoreFileSpec& spec, u64 block) {
  const Bytes results = results_of(spec, block);
  file.write(block, results, base::crc32(results));
}

inline RunFacts facts(const std::string& host = "node17") {
  RunFacts run;
  run.start_ns = 1'700'000'000'000'000'000;
  run.ranks = 4;
  run.pid = 4242;
  run.host = host;
  run.job = "777";
  run.version = "0.1.0";
  run.command = "h5score score --output scores.h5";
  return run;
}

/// The bytes of one column in the file that `description` describes.
inline Bytes stored_column(const ScoreDescription& description, std::size_t column) {
  const Extent place = description.column_extents.at(column);
  Bytes bytes(place.size);
  std::ifstream in(description.path, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(place.offset));
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(in.good() || place.size == 0);
  return bytes;
}

/// The bytes that column should have when all blocks are written.
inline Bytes expected_column(const ScoreFileSpec& spec, std::size_t column) {
  ScoreFileSpec whole = spec;
  whole.boundaries = {0, spec.rows};
  whole.columns = spec.columns;
  const Bytes all = results_of(whole, 0);
  u64 begin = 0;
  for (std::size_t c = 0; c < column; ++c) begin += spec.columns[c].row_bytes() * spec.rows;
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
  return {first, first + static_cast<std::ptrdiff_t>(spec.columns[column].row_bytes() * spec.rows)};
}

inline void expect_complete(const std::string& path, const ScoreFileSpec& spec) {
  const auto description = read_scores(path);
  EXPECT_TRUE(description.complete());
  ASSERT_EQ(description.columns.size(), spec.columns.size());
  for (std::size_t c = 0; c < spec.columns.size(); ++c)
    EXPECT_EQ(stored_column(description, c), expected_column(spec, c)) << spec.columns[c].path;
}

/// Runs `action`, which must throw base::Error with this code; returns its message.
template <class Action>
std::string error_of(ExitCode code, Action action) {
  try {
    action();
  } catch (const base::Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

/// A folder of its own for each test.
class ScoreFileTest : public ::testing::Test {
 protected:
  ScoreFileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "h5score-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    output_ = folder_ + "/scores.h5";
  }
  ~ScoreFileTest() override { std::filesystem::remove_all(folder_); }

  ScoreFile create(const ScoreFileSpec& spec, const ScoreFileOptions& options = {}) {
    return ScoreFile::create(output_, spec, facts(), options);
  }
  ScoreFile resume(const ScoreFileSpec& spec, const ScoreFileOptions& options = {}) {
    return ScoreFile::resume(output_, read_scores(part()), spec.identity, facts("node18"), options);
  }
  [[nodiscard]] std::string part() const { return part_path(output_); }

  std::string folder_;
  std::string output_;
};

}  // namespace h5score::storage::testing

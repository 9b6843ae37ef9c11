// What the tests of the score file share: looking into files, expecting errors, a folder for each test.
#pragma once

#include "h5score/base/error.hpp"

#include "storage/score_file_example.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace h5score::storage::testing {

using base::ExitCode;

inline std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// All bytes of a score file but the records of its runs.
inline std::string contents_but_runs(const std::string& path) {
  std::string bytes = contents(path);
  const auto scores = read_scores(path);
  for (const auto& place : {scores.runs_extent, scores.alive_extent})
    bytes.replace(place.offset, place.size, place.size, '\0');
  return bytes;
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

// An example of every kind of column of a score file, with contents that follow from row numbers.
#pragma once

#include "h5score/base/hash.hpp"
#include "h5score/storage/score_file.hpp"

#include <algorithm>
#include <string>

namespace h5score::storage::testing {

using base::Bytes;
using base::ElementKind;
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

}  // namespace h5score::storage::testing

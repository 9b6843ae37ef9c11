// What a score file (complete or in part) holds, as a flat archivable value: read_scores() is what the name node runs
// on the part file of a resumed run, and what `inspect` prints.
#pragma once

#include "h5score/base/archive.hpp"
#include "h5score/base/element_type.hpp"
#include "h5score/base/types.hpp"
#include "h5score/h5/dataset.hpp"

#include <string>
#include <variant>
#include <vector>

namespace h5score::storage {

using base::i64;
using base::u32;
using base::u64;

/// A named fact on a dataset. Whole numbers are stored in an integer column's own type, as the CF conventions ask.
struct Attribute {
  std::string name;
  std::variant<std::string, i64, double, std::vector<i64>, h5::Numbers> value;
  bool operator==(const Attribute&) const = default;
};

/// One result or passthrough column: a dataset of rows x row_shape.
struct ScoreColumn {
  std::string path;  ///< absolute: "/label", "/z/prediction"
  base::ElementType type;
  std::vector<u64> row_shape;  ///< empty: one-dimensional; a 0 in it makes a column without bytes
  /// Path of the dimension scale of axis 1: a table of the same file ("/classes"), else a scale without values is made
  /// there ("/pair"). Empty: axis 1 has no name.
  std::string dimension;
  std::vector<Attribute> attributes;
  [[nodiscard]] u64 row_bytes() const;  ///< throws Error(data) on overflow
  bool operator==(const ScoreColumn&) const = default;
};

/// A results column of int32 codes into `classes`, with its attributes (missing_value = -1).
ScoreColumn label_column(const std::string& path, const std::string& classes);
/// A u8 column of bit flags, with flag_masks and flag_meanings (1 missing, 2 nonfinite; 0 is ok).
ScoreColumn status_column(const std::string& path);

/// The labels along an axis of results: /classes, /targets.
struct LabelTable {
  std::string path;
  std::variant<std::vector<i64>, std::vector<double>, std::vector<std::string>> labels;
};

/// One line of /inputs: where a stretch of the score file's rows came from.
struct InputRecord {
  std::string path;
  std::string dataset;
  u64 first_row = 0;  ///< first row of the score file that this input fills
  u64 rows = 0;
  u64 size = 0;      ///< bytes of the file
  i64 mtime_ns = 0;  ///< modification time, nanoseconds since 1970
  bool operator==(const InputRecord&) const = default;
};

/// Facts of one run that wrote to the file. Text longer than its slot is cut: host, job 64 bytes, version 32, command
/// 1848.
struct RunFacts {
  i64 start_ns = 0;  ///< nanoseconds since 1970
  i64 end_ns = 0;    ///< 0: still running, or killed
  u64 ranks = 0;
  u64 pid = 0;       ///< of the root
  u64 blocks = 0;    ///< written by this run; known once it has ended
  std::string host;  ///< of the root
  std::string job;   ///< batch system's job id, or empty
  std::string version;
  std::string command;
  bool operator==(const RunFacts&) const = default;
};

/// A stretch of bytes of the file; offset is meaningless where size is 0.
struct Extent {
  u64 offset = 0;
  u64 size = 0;
};

struct ScoreDescription {
  std::string path;
  u64 inode = 0;
  u64 file_size = 0;
  u64 rows = 0;
  std::vector<ScoreColumn> columns;    ///< in the order of a block's bytes; dimension is left empty
  std::vector<Extent> column_extents;  ///< one per column
  std::vector<LabelTable> tables;
  std::vector<InputRecord> inputs;
  std::vector<u64> boundaries;  ///< block b holds rows [boundaries[b], boundaries[b+1])
  std::vector<u64> ledger;      ///< one entry per block; see ledger_done()
  Extent ledger_extent;
  std::vector<RunFacts> runs;  ///< oldest first
  Extent runs_extent;
  std::vector<i64>
      alive_ns;  ///< of each of `runs`: last sign of life; 0: it has ended in order, or its version showed none
  Extent alive_extent;
  std::string identity;  ///< JSON
  std::string features;  ///< JSON: how the models' features were made; empty in files of versions that did not note it
  std::string options;   ///< JSON: what the first run was asked for; likewise

  [[nodiscard]] u64 blocks() const { return boundaries.size() - 1; }
  [[nodiscard]] u64 blocks_done() const;
  [[nodiscard]] u64 rows_done() const;
  [[nodiscard]] bool complete() const { return blocks_done() == blocks(); }
};

/// A ledger entry claims that its block is safely written, with this CRC-32 of its results.
[[nodiscard]] u64 ledger_entry(u32 crc);
/// False for any value that ledger_entry() does not make: 0, torn, damaged.
[[nodiscard]] bool ledger_done(u64 entry);
[[nodiscard]] u32 ledger_crc(u64 entry);

/// Reads the metadata, ledger and tables of a score file or part file; no results. Throws Error(no_input) where it
/// cannot be opened, Error(data) where it is no score file, of another format version, or contradicts itself (every
/// size and place is checked against the file; it may be damaged). Runs HDF5: for a file that may be damaged call it
/// through h5::Sandbox.
ScoreDescription read_scores(const std::string& path);
/// read_scores() as a request handler: path (archived string) -> archived ScoreDescription.
base::Bytes read_scores_handler(base::ByteView request);

/// The values of one row of a column.
using ScoreValues = std::variant<std::vector<i64>, std::vector<u64>, std::vector<double>, std::vector<std::string>>;
/// One row of each column. Throws Error(data). Runs HDF5, as read_scores() does.
std::vector<ScoreValues> read_score_row(const std::string& path, const std::vector<ScoreColumn>& columns, u64 row);
/// The same as a request handler: score_row_request() -> archived std::vector<ScoreValues> of all columns.
base::Bytes read_score_row_handler(base::ByteView request);
base::Bytes score_row_request(const std::string& path, u64 row);

/// A field of two identities that is not the same, as JSON pointer without the first '/', and its two values.
struct IdentityDifference {
  std::string field;
  std::string there;  ///< in the file
  std::string now;
};
/// Throws Error(data) where one of the texts is no JSON.
std::vector<IdentityDifference> identity_differences(const std::string& part_path, const std::string& in_part,
                                                     const std::string& now);
/// The first three, in words.
std::string to_text(const std::vector<IdentityDifference>& differences);
/// Throws Error(usage) unless both JSON texts agree in every field; names up to three fields that differ (as JSON
/// pointers) with both values.
void require_same_identity(const std::string& part_path, const std::string& in_part, const std::string& now);

template <class A>
void archive(A& ar, Attribute& v) {
  ar(v.name, v.value);
}
template <class A>
void archive(A& ar, ScoreColumn& v) {
  ar(v.path, v.type, v.row_shape, v.dimension, v.attributes);
}
template <class A>
void archive(A& ar, LabelTable& v) {
  ar(v.path, v.labels);
}
template <class A>
void archive(A& ar, InputRecord& v) {
  ar(v.path, v.dataset, v.first_row, v.rows, v.size, v.mtime_ns);
}
template <class A>
void archive(A& ar, RunFacts& v) {
  ar(v.start_ns, v.end_ns, v.ranks, v.pid, v.blocks, v.host, v.job, v.version, v.command);
}
template <class A>
void archive(A& ar, Extent& v) {
  ar(v.offset, v.size);
}
template <class A>
void archive(A& ar, ScoreDescription& v) {
  ar(v.path, v.inode, v.file_size, v.rows, v.columns, v.column_extents, v.tables, v.inputs, v.boundaries, v.ledger,
     v.ledger_extent, v.runs, v.runs_extent, v.alive_ns, v.alive_extent, v.identity, v.features, v.options);
}

}  // namespace h5score::storage

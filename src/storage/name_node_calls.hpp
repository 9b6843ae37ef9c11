// The requests of reading inputs, as both processes see them.
#pragma once

#include "h5score/base/archive.hpp"
#include "h5score/h5/dataset.hpp"
#include "h5score/storage/layout.hpp"

#include "sparse_file.hpp"

#include <optional>
#include <string>
#include <vector>

namespace h5score::storage {

/// "storage.describe": the table and the passthrough columns of one file -> FileFacts.
struct DescribeRequest {
  std::string path;
  std::string dataset;  ///< empty: the only one that fits
  std::vector<std::string> passthrough;
  std::string names;  ///< a dataset of strings that name the columns; empty: none
};
struct TableFacts {
  struct Text {
    std::string name;
    StoredField field;
  };
  TableKind kind = TableKind::array;
  std::string dataset;                   ///< absolute name of the dataset or group
  std::vector<h5::DatasetFacts> arrays;  ///< array, compound: one; columns: one each; sparse: indices and data
  std::vector<StoredField> fields;       ///< columns, compound: where each column is; else empty
  std::vector<std::string> names;        ///< empty: the columns have none
  std::string names_from;
  std::vector<Text> texts;            ///< compound: fields that can only be passed through; for the name node
  std::vector<std::string> left_out;  ///< what is near but no column: "name (text of 8 bytes)"
  std::optional<SparseFacts> sparse;
  [[nodiscard]] u64 rows() const { return sparse ? sparse->rows : arrays.front().shape[0]; }
};
struct PassthroughFacts {
  h5::DatasetFacts array;
  StoredField field;           ///< `array` unused
  std::vector<u64> row_shape;  ///< of the column
};
struct FileFacts {
  TableFacts table;
  std::vector<PassthroughFacts> passthrough;
};
/// One of the tables of a file.
struct FoundTable {
  static constexpr u8 never = 3;
  TableFacts facts;
  u8 precedence = 0;      ///< --dataset is chosen among those with the lowest; never: not without being named
  std::string refusal{};  ///< why it cannot be scored, then `facts` has only kind and dataset; empty: it can
};
/// "storage.list": a path (archived string) -> FileContents.
struct FileContents {
  std::vector<h5::DatasetFacts> datasets;
  std::vector<FoundTable> tables;
  std::vector<std::string> matrices;  ///< of AnnData and 10x: --dataset is chosen among these where there are any
};
/// "storage.names": a dataset of strings -> std::vector<std::string>.
struct NamesRequest {
  std::string path;
  std::string dataset;
};
/// "storage.map": chunk rows [first, first + count) -> h5::ChunkMap.
struct MapRequest {
  h5::DatasetFacts facts;
  u64 first = 0;
  u64 count = 0;
};
/// "storage.read": rows as facts.read_as -> their bytes.
struct ReadRequest {
  h5::DatasetFacts facts;
  base::RowRange rows;
};

template <class A>
void archive(A& ar, DescribeRequest& v) {
  ar(v.path, v.dataset, v.passthrough, v.names);
}
template <class A>
void archive(A& ar, TableFacts& v) {
  ar(v.kind, v.dataset, v.arrays, v.fields, v.names, v.names_from, v.left_out, v.sparse);
}
template <class A>
void archive(A& ar, FoundTable& v) {
  ar(v.facts, v.precedence, v.refusal);
}
template <class A>
void archive(A& ar, FileContents& v) {
  ar(v.datasets, v.tables, v.matrices);
}
template <class A>
void archive(A& ar, PassthroughFacts& v) {
  ar(v.array, v.field, v.row_shape);
}
template <class A>
void archive(A& ar, FileFacts& v) {
  ar(v.table, v.passthrough);
}
template <class A>
void archive(A& ar, NamesRequest& v) {
  ar(v.path, v.dataset);
}
template <class A>
void archive(A& ar, MapRequest& v) {
  ar(v.facts, v.first, v.count);
}
template <class A>
void archive(A& ar, ReadRequest& v) {
  ar(v.facts, v.rows.begin, v.rows.end);
}

}  // namespace h5score::storage

// How rows lie in files: the facts that a worker needs to turn stored bytes into rows. Flat and archivable; the root
// makes them once and broadcasts them.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/h5/dataset.hpp"
#include "h5score/storage/binding.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace h5score::storage {

using base::u32;

/// Called between chunks and reads so that pending transfers make progress; cheap; may be empty.
using Poll = std::function<void()>;

/// contiguous: rows follow each other in the file; chunked: a grid of chunks, possibly filtered; served: read and
/// converted by the name node, because byte ranges cannot express it. Contiguous and served payloads look alike.
enum class Access : u8 { contiguous, chunked, served };

/// One dataset as rows along axis 0, without its place in a file: equal for all files written alike.
struct ArrayFormat {
  std::string dataset;
  base::ElementType type;      ///< of the bytes in a payload; of no meaning for records
  u64 record_bytes = 0;        ///< > 0: elements are records (structs) of this size
  std::vector<u64> row_shape;  ///< shape of one row: the dataset's extents without the first
  Access access = Access::contiguous;
  std::vector<u64> chunk;  ///< chunked: extents of a chunk, axis 0 first
  std::vector<h5::Filter> filters;
  base::Bytes fill;  ///< one element, as stored
  std::optional<h5::Packing> packing;
  bool operator==(const ArrayFormat&) const = default;

  [[nodiscard]] u64 element_bytes() const { return record_bytes != 0 ? record_bytes : type.size; }
  [[nodiscard]] u64 row_elements() const;
  [[nodiscard]] u64 row_bytes() const { return row_elements() * element_bytes(); }
};

/// Elements at the same place in every row of an array.
struct StoredField {
  u32 array = 0;   ///< index into FileFormat::arrays
  u64 offset = 0;  ///< bytes from the row's beginning
  base::ElementType type;
  bool operator==(const StoredField&) const = default;
};

/// Where a file keeps one column of the table.
struct StoredColumn {
  u64 column = 0;  ///< of the SourceTable
  StoredField field;
  bool operator==(const StoredColumn&) const = default;
};

/// The datasets that one file contributes: first those of the table, then those only passed through.
struct FileFormat {
  std::vector<ArrayFormat> arrays;       ///< sparse: columns of the elements, then their values
  std::vector<StoredColumn> columns;     ///< those that bindings need, ascending; empty: arrays[0] has them in order
  std::vector<StoredField> passthrough;  ///< one for each RowFormat::passthrough
  u64 matrix_columns = 0;                ///< sparse: columns of the file's matrix
  /// Sparse: the table's column of each of these, RowFormat::columns for one that it does not have; empty: the same.
  std::vector<u32> table_columns;
  bool operator==(const FileFormat&) const = default;
};

/// A column that is copied to the output unchanged.
struct PassthroughColumn {
  std::string name;                    ///< as the user wrote it
  base::ElementType type;              ///< in the output; fixed strings: the longest over all files
  std::vector<u64> row_shape;          ///< empty: one element per row
  std::vector<h5::Attribute> meaning;  ///< the same in all files
  [[nodiscard]] u64 row_bytes() const;
};

/// What every rank needs to decode payloads.
struct RowFormat {
  TableKind kind = TableKind::array;
  u64 columns = 0;                  ///< of the table
  std::vector<FileFormat> formats;  ///< the different ones among the files
  std::vector<Binding> bindings;
  Treatment treatment;
  std::vector<PassthroughColumn> passthrough;

  /// Distinct element types of the bound columns, for messages: "uint8, float64".
  [[nodiscard]] std::string types() const;
  /// True if a bound column's type holds numbers that float32 cannot (integers of 32 bits and more, float64).
  [[nodiscard]] bool narrows_to_float() const;
};

template <class A>
void archive(A& ar, ArrayFormat& v) {
  ar(v.dataset, v.type, v.record_bytes, v.row_shape, v.access, v.chunk, v.filters, v.fill, v.packing);
}
template <class A>
void archive(A& ar, FileFormat& v) {
  ar(v.arrays, v.columns, v.passthrough, v.matrix_columns, v.table_columns);
}
template <class A>
void archive(A& ar, StoredField& v) {
  ar(v.array, v.offset, v.type);
}
template <class A>
void archive(A& ar, StoredColumn& v) {
  ar(v.column, v.field);
}
template <class A>
void archive(A& ar, PassthroughColumn& v) {
  ar(v.name, v.type, v.row_shape, v.meaning);
}
template <class A>
void archive(A& ar, RowFormat& v) {
  ar(v.kind, v.columns, v.formats, v.bindings, v.treatment, v.passthrough);
}

}  // namespace h5score::storage

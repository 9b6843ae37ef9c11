// How rows lie in files: the facts that a worker needs to turn stored bytes into rows. Flat and archivable; the root
// makes them once and broadcasts them.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/h5/dataset.hpp"

#include <functional>
#include <string>
#include <vector>

namespace h5score::storage {

using base::u32;
using base::u64;
using base::u8;

/// Called between chunks and reads so that pending transfers make progress; cheap; may be empty.
using Poll = std::function<void()>;

/// contiguous: rows follow each other in the file; chunked: a grid of chunks, possibly filtered; served: read and
/// converted by the name node, because byte ranges cannot express it. Contiguous and served payloads look alike.
enum class Access : u8 { contiguous, chunked, served };

/// One dataset as rows along axis 0, without its place in a file: equal for all files written alike.
struct ArrayFormat {
  std::string dataset;
  base::ElementType type;      ///< of the bytes in a payload
  std::vector<u64> row_shape;  ///< shape of one row: the dataset's extents without the first
  Access access = Access::contiguous;
  std::vector<u64> chunk;  ///< chunked: extents of a chunk, axis 0 first
  std::vector<h5::Filter> filters;
  base::Bytes fill;  ///< one element, as stored
  bool operator==(const ArrayFormat&) const = default;

  [[nodiscard]] u64 row_elements() const;
  [[nodiscard]] u64 row_bytes() const { return row_elements() * type.size; }
};

/// The datasets that one file contributes: first the features, then the passthrough columns in order.
struct FileFormat {
  std::vector<ArrayFormat> arrays;
  bool operator==(const FileFormat&) const = default;
};

/// Neighbouring columns of a row.
struct ColumnRun {
  u64 begin = 0;
  u64 count = 0;
  bool operator==(const ColumnRun&) const = default;
};

/// A column that is copied to the output unchanged.
struct PassthroughColumn {
  std::string name;            ///< as the user wrote it
  base::ElementType type;      ///< in the output; fixed strings: the longest over all files
  std::vector<u64> row_shape;  ///< empty: one element per row
  [[nodiscard]] u64 row_bytes() const;
};

/// What every rank needs to decode payloads.
struct RowFormat {
  std::vector<FileFormat> formats;  ///< the different ones among the files
  std::vector<ColumnRun> columns;   ///< selected columns of the flattened row, in output order
  u64 features = 0;                 ///< sum of their counts
  u64 stored_features = 0;          ///< columns of a flattened row in the files
  std::vector<PassthroughColumn> passthrough;

  /// Distinct element types of the features, for messages: "uint8, float64".
  [[nodiscard]] std::string types() const;
  /// True if a file's type holds numbers that float32 cannot (integers of 32 bits and more, float64).
  [[nodiscard]] bool narrows_to_float() const;
};

template <class A>
void archive(A& ar, ArrayFormat& v) {
  ar(v.dataset, v.type, v.row_shape, v.access, v.chunk, v.filters, v.fill);
}
template <class A>
void archive(A& ar, FileFormat& v) {
  ar(v.arrays);
}
template <class A>
void archive(A& ar, ColumnRun& v) {
  ar(v.begin, v.count);
}
template <class A>
void archive(A& ar, PassthroughColumn& v) {
  ar(v.name, v.type, v.row_shape);
}
template <class A>
void archive(A& ar, RowFormat& v) {
  ar(v.formats, v.columns, v.features, v.stored_features, v.passthrough);
}

}  // namespace h5score::storage

// What a dataset is, told flatly enough to be read without the HDF5 library: type, shape, layout, filters and where its
// bytes lie in the file. Free of <hdf5.h>: workers and the root use these values and never open an input with HDF5.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/base/types.hpp"

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace h5score::h5 {

using base::u32;
using base::u64;
using base::u8;

/// Where bytes were never allocated, an address has this value.
inline constexpr u64 no_address = ~u64{0};

/// One filter of a pipeline, in the order of writing. `name` is for messages.
struct Filter {
  static constexpr u32 deflate = 1;
  static constexpr u32 shuffle = 2;
  static constexpr u32 fletcher32 = 3;
  static constexpr u32 lzf = 32000;
  u32 id = 0;
  std::string name;
  std::vector<u32> values;  ///< client data as stored in the file
  bool operator==(const Filter&) const = default;
};

enum class Layout : u8 { compact, contiguous, chunked, virtual_sources, external_files };
const char* to_string(Layout layout);

/// How stored numbers are meant, by the attributes of netCDF and of the CF conventions: one that equals an element of
/// `missing`, or lies outside [least, most], is missing; any other means stored * scale + offset, in float64.
struct Packing {
  std::vector<base::Bytes> missing;  ///< elements as stored
  std::optional<double> least;
  std::optional<double> most;
  double scale = 1;
  double offset = 0;
  bool operator==(const Packing&) const = default;
};

/// Numbers in the type they are stored in, but little-endian.
struct Numbers {
  base::ElementType type;
  base::Bytes values;
  bool operator==(const Numbers&) const = default;
};

/// An attribute that tells what the values of a dataset mean: text, or at least one number.
struct Attribute {
  std::string name;
  std::variant<std::string, Numbers> value;
};

/// True if both are the same text, or equal numbers whatever their types are (NaN equals NaN).
bool same_value(const Attribute& a, const Attribute& b);
/// For messages: 'days since 2001-01-01', 0.1 or "-99 and 1e+20".
std::string value_text(const Attribute& attribute);

/// Neighbouring elements of one type inside the records of a compound type; nested fields are flattened: "pos.x".
struct Field {
  std::string name;
  u64 offset = 0;  ///< bytes from the record's beginning
  base::ElementType type;
  std::vector<u64> shape;  ///< empty: one element; else a field of an array type
};

/// Of larger elements (records, texts) DatasetFacts has no fill value: they cannot be read.
inline constexpr u64 most_element_bytes = u64{1} << 26;

struct DatasetFacts {
  std::string file;        ///< the file that holds it: another than the one opened where an external link leads there
  std::string name;        ///< its absolute name
  u64 object = 0;          ///< its address in `file`, where a name that leads through links may mean nothing
  std::vector<u64> shape;  ///< empty: scalar or null
  bool null = false;       ///< null dataspace
  std::optional<base::ElementType> type;     ///< as stored; absent: its bytes mean nothing without the library
  std::optional<base::ElementType> read_as;  ///< what the library can convert it to (equals *type if that is there)
  bool variable_string = false;              ///< variable-length text
  bool utf8 = false;                         ///< text: character set
  std::string type_name;                     ///< for people: "float32", "compound of 4 fields", "variable-length text"
  Layout layout = Layout::contiguous;
  u64 address = no_address;          ///< contiguous: absolute file offset
  std::vector<u64> chunk;            ///< chunked: extents of a chunk
  std::vector<Filter> filters;       ///< chunked
  std::vector<std::string> missing;  ///< filters that this HDF5 lacks: "32015 (zstd)"
  bool raw_edges = false;            ///< chunks that the dataset's bounds cut are stored unfiltered
  base::Bytes fill;                  ///< one element (record) as stored; zeros where the fill value is undefined
  std::optional<Packing> packing;    ///< numbers that do not mean themselves
  std::vector<Attribute> meaning;    ///< meaning_of() the dataset
  std::string categories;            ///< not empty: the dataset of the texts that the numbers stand for, by their order
  bool scale = false;                ///< a dimension scale: it labels an axis of other datasets
  u64 record_bytes = 0;              ///< compound: size of a record as it is read; else 0
  bool raw_records = false;          ///< compound: the file holds the records just so; else only the library makes them
  std::vector<Field> fields;         ///< compound: those of fixed size, numbers and text
  std::vector<std::string> left_out;  ///< compound: fields that cannot be read: "name (variable-length text)"
  u64 stored_bytes = 0;               ///< allocated in the file; only from describe_all_datasets()
};

template <class A>
void archive(A& ar, Filter& v) {
  ar(v.id, v.name, v.values);
}
template <class A>
void archive(A& ar, Packing& v) {
  ar(v.missing, v.least, v.most, v.scale, v.offset);
}
template <class A>
void archive(A& ar, Numbers& v) {
  ar(v.type, v.values);
}
template <class A>
void archive(A& ar, Attribute& v) {
  ar(v.name, v.value);
}
template <class A>
void archive(A& ar, Field& v) {
  ar(v.name, v.offset, v.type, v.shape);
}
template <class A>
void archive(A& ar, DatasetFacts& v) {
  ar(v.file, v.name, v.object, v.shape, v.null, v.type, v.read_as, v.variable_string, v.utf8, v.type_name, v.layout,
     v.address, v.chunk, v.filters, v.missing, v.raw_edges, v.fill, v.packing, v.meaning, v.categories, v.scale,
     v.record_bytes, v.raw_records, v.fields, v.left_out, v.stored_bytes);
}

/// Where the chunks of a run of chunk rows lie: element i is the i-th chunk in C order of the chunk grid, starting at
/// the first chunk of the run. A chunk that was never written has address no_address and size 0.
struct ChunkMap {
  std::vector<u64> address;  ///< absolute file offsets
  std::vector<u32> size;     ///< stored bytes
  std::vector<u32> mask;     ///< bit i set: filter i was skipped for this chunk; empty: all zero
};
template <class A>
void archive(A& ar, ChunkMap& v) {
  ar(v.address, v.size, v.mask);
}

/// Opens `dataset` of file `path` and describes it. Throws Error(no_input) where the file cannot be opened, Error(data)
/// where it is damaged or has no such dataset. Calls the library: for use in a Sandbox.
DatasetFacts describe_dataset(const std::string& path, const std::string& dataset);

/// Every dataset of a file that hard or external links reach, in order of names. Datasets that cannot be described are
/// left out.
std::vector<DatasetFacts> describe_all_datasets(const std::string& path);

/// An object below a group: "mag_g", or with a depth of 2 "mag_g/data".
struct Member {
  std::string name;                     ///< from the group
  std::optional<DatasetFacts> dataset;  ///< absent: another object, or a link that leads nowhere
};

/// True if `name` is a group. Throws Error(data) where there is no such object, else as describe_dataset().
bool is_group(const std::string& path, const std::string& name);

/// The datasets of a group, also through soft and external links, down to `depth` groups below, in order
/// of names.
std::vector<Member> describe_members(const std::string& path, const std::string& group, u64 depth);

/// The map of chunk rows [first, first + count) of a chunked dataset, without reading any data. Throws Error(data)
/// where the index is damaged or claims bytes outside the file.
ChunkMap map_chunks(const DatasetFacts& facts, u64 first, u64 count);

/// Reads rows of one dataset by the library; for what byte ranges cannot express. Keeps the file open.
class RowReader {
 public:
  explicit RowReader(const DatasetFacts& facts);
  RowReader(RowReader&&) noexcept;
  RowReader& operator=(RowReader&&) noexcept;
  ~RowReader();

  /// Rows [rows.begin, rows.end) converted to `type` (facts.read_as, or a fixed string for variable-length text), in C
  /// order. Throws Error(data).
  base::Bytes read(base::RowRange rows, const base::ElementType& type);
  /// Rows of records, facts.record_bytes each, laid out as facts.fields says.
  base::Bytes read_records(base::RowRange rows);
  /// Longest text of a variable-length string dataset in bytes, at least 1.
  u32 longest_string();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The sources of a virtual dataset, or the external files of one, that do not exist: for missing sources the library
/// would silently give fill values. Throws Error(data) for one that is a pipe or a device.
std::vector<std::string> missing_sources(const DatasetFacts& facts);

}  // namespace h5score::h5

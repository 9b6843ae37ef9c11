// Short forms of the HDF5 calls that model and score files need: open, create, whole small datasets, attributes.
// Every reader checks the stored size against a limit before it allocates: files are hostile.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/base/types.hpp"
#include "h5score/h5/dataset.hpp"
#include "h5score/h5/handle.hpp"

#include <optional>
#include <string>
#include <vector>

namespace h5score::h5 {

/// What a dataset stores, as far as readers of small datasets tell apart; enumerations and booleans are integers.
enum class StoredKind : base::u8 { integer, floating, text, other };

/// A file access list without the library's file locks, which fail or hang on many NFS and Lustre file systems (from
/// HDF5 1.10.7 on; before, the environment variable HDF5_USE_FILE_LOCKING decides).
Handle lock_free_access();

/// Opens a file read-only, without locks unless `access` says else; without `access` also what it leads to must be
/// regular files, no pipes. Throws Error(no_input) where it does not exist or
/// cannot be opened for reading (permission, directory), Error(data) where it is not a readable HDF5 file, both naming
/// the path.
Handle open_file(const std::string& path);
Handle open_file(const std::string& path, const Handle& access);

/// Opens the bytes of an HDF5 file that lies in memory. Throws Error(data) where they are none.
Handle open_image(base::ByteView image);

/// True if link `name` exists in `where` and leads to an object.
bool exists(const Handle& where, const std::string& name);
Handle open_group(const Handle& where, const std::string& name);
Handle open_dataset(const Handle& where, const std::string& name);
/// Creates a group, with missing parents.
Handle create_group(const Handle& where, const std::string& name);

/// Creates a file without locks, truncating an existing one. Throws Error(cant_create).
Handle create_file(const std::string& path);

/// A link of a group; `local` unless it is external or user-defined and may lead into another file.
struct Link {
  std::string name;
  bool local = true;
};
/// All links of a group / names of all attributes of an object, ordered by name. Throws Error(data) above `limit`.
std::vector<Link> links_of(const Handle& group, base::u64 limit);
std::vector<std::string> attribute_names(const Handle& object, base::u64 limit);

StoredKind stored_kind(const Handle& dataset);
/// True for floating-point numbers of more than 4 bytes.
bool is_float64(const Handle& dataset);
/// Throws Error(data) unless the dataset is stored inside its own file (neither virtual nor external) and a file of
/// `file_bytes` can hold it: uncompressed data must be there byte for byte, filtered data may be as many as
/// base::most_inflated() says. To be called before allocating.
void check_stored(const Handle& dataset, base::u64 file_bytes);

/// Current dimensions of a dataset or attribute; empty for a scalar. Throws Error(data) for a null dataspace.
std::vector<base::u64> shape_of(const Handle& dataset);

/// Whole numeric dataset converted to double / int64 (throws if an int64 dataset is not integer-typed), in C order.
/// `limit` bounds the number of elements; above it Error(data).
std::vector<double> read_doubles(const Handle& dataset, base::u64 limit);
std::vector<base::i64> read_integers(const Handle& dataset, base::u64 limit);
/// Whole dataset of strings, fixed or variable length.
std::vector<std::string> read_strings(const Handle& dataset, base::u64 limit);
/// The strings of one field of a dataset of records.
std::vector<std::string> read_string_field(const Handle& dataset, const std::string& field, base::u64 limit);

bool has_attribute(const Handle& object, const std::string& name);
/// Scalar attributes. Throw Error(data) naming the attribute if it is absent or of another class or not one element.
std::string read_string_attribute(const Handle& object, const std::string& name);
double read_double_attribute(const Handle& object, const std::string& name);
base::i64 read_integer_attribute(const Handle& object, const std::string& name);
/// An attribute of texts of any shape; an empty one may be of any type (numpy's type of an empty list is float64).
std::vector<std::string> read_strings_attribute(const Handle& object, const std::string& name, base::u64 limit);
/// An attribute of integers of any shape.
std::vector<base::i64> read_integers_attribute(const Handle& object, const std::string& name, base::u64 limit);

/// Those of netCDF's and CF's attributes that tell what a dataset's values mean: scale_factor, add_offset, _FillValue,
/// missing_value, valid_min, valid_max, valid_range, _Unsigned, units, calendar, long_name, standard_name. What is
/// neither one text nor numbers is left out.
std::vector<Attribute> meaning_of(const Handle& dataset);

void write_attribute(const Handle& object, const std::string& name, const std::string& value);
void write_attribute(const Handle& object, const std::string& name, double value);
void write_attribute(const Handle& object, const std::string& name, base::i64 value);
void write_attribute(const Handle& object, const std::string& name, const std::vector<base::i64>& values);

/// Creates and fills a contiguous dataset below `where`; missing parent groups are made.
void write_doubles(const Handle& where, const std::string& name, const std::vector<base::u64>& shape,
                   const std::vector<double>& values);
void write_integers(const Handle& where, const std::string& name, const std::vector<base::u64>& shape,
                    const std::vector<base::i64>& values);
/// Variable-length UTF-8 strings, one dimension (as h5py writes str).
void write_strings(const Handle& where, const std::string& name, const std::vector<std::string>& values);

/// The element type of an HDF5 datatype that h5score understands; nullopt for others (compound, references, bit fields,
/// odd precisions or offsets, variable length). Enumerations give their base type.
std::optional<base::ElementType> element_type(const Handle& datatype);
/// The HDF5 file datatype for an element type.
Handle datatype(const base::ElementType& type);

}  // namespace h5score::h5

// Whole small datasets, attributes and groups.
#include "h5score/h5/io.hpp"

#include "h5score/base/narrow.hpp"

#include "regular_driver.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace h5score::h5 {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;

Handle space_of(const Handle& object) {
  const bool attribute = H5Iget_type(object.get()) == H5I_ATTR;
  return {attribute ? H5Aget_space(object.get()) : H5Dget_space(object.get()), "a dataspace cannot be read"};
}

u64 checked_elements(const Handle& object, u64 limit) {
  const u64 n = base::checked_product(shape_of(object));
  if (n > limit)
    throw Error(ExitCode::data, "a dataset is larger than allowed here",
                std::to_string(n) + " elements, at most " + std::to_string(limit));
  return n;
}

H5T_class_t class_of(const Handle& object) {
  const bool attribute = H5Iget_type(object.get()) == H5I_ATTR;
  const Handle type(attribute ? H5Aget_type(object.get()) : H5Dget_type(object.get()), "a datatype cannot be read");
  return H5Tget_class(type.get());
}

template <class T>
std::vector<T> read_numbers(const Handle& dataset, u64 limit, hid_t memory_type) {
  const auto kind = class_of(dataset);
  const bool integer = kind == H5T_INTEGER || kind == H5T_ENUM;
  if (!integer && (kind != H5T_FLOAT || std::is_integral_v<T>))
    throw Error(ExitCode::data, "a dataset has the wrong type",
                std::is_integral_v<T> ? "integers expected" : "numbers expected");
  std::vector<T> values(checked_elements(dataset, limit));
  if (values.empty()) return values;
  check(H5Dread(dataset.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "a dataset cannot be read");
  return values;
}

// Reads strings of a dataset or attribute through `read(memory type, buffer)`.
template <class Read>
std::vector<std::string> strings_of(const Handle& type, u64 n, Read read) {
  if (H5Tget_class(type.get()) != H5T_STRING)
    throw Error(ExitCode::data, "text expected", "the stored type is another");
  std::vector<std::string> result(n);
  if (n == 0) return result;
  if (H5Tis_variable_str(type.get()) > 0) {
    std::vector<char*> pointers(n, nullptr);
    read(type.get(), pointers.data());
    for (u64 i = 0; i < n; ++i)
      if (pointers[i] != nullptr) result[i] = pointers[i];
    const hsize_t extent = n;
    const Handle space(H5Screate_simple(1, &extent, nullptr), "a dataspace cannot be made", ExitCode::internal);
    check(H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, pointers.data()), "strings cannot be freed");
    return result;
  }
  const std::size_t size = H5Tget_size(type.get());
  std::vector<char> text(base::checked_mul(n, size));
  read(type.get(), text.data());
  const bool spaces = H5Tget_strpad(type.get()) == H5T_STR_SPACEPAD;
  for (u64 i = 0; i < n; ++i) {
    const char* begin = text.data() + i * size;
    std::string value(begin, std::find(begin, begin + size, '\0'));
    if (spaces) value.erase(value.find_last_not_of(' ') + 1);
    result[i] = std::move(value);
  }
  return result;
}

Handle open_attribute(const Handle& object, const std::string& name) {
  return {H5Aopen(object.get(), name.c_str(), H5P_DEFAULT), "attribute '" + name + "' cannot be read"};
}

template <class T>
T read_scalar_attribute(const Handle& object, const std::string& name, hid_t memory_type) {
  const Handle attribute = open_attribute(object, name);
  const auto kind = class_of(attribute);
  const bool good = kind == H5T_INTEGER || kind == H5T_ENUM || (kind == H5T_FLOAT && !std::is_integral_v<T>);
  if (!good || base::checked_product(shape_of(attribute)) != 1)
    throw Error(ExitCode::data, "attribute '" + name + "' is not one number of the right kind");
  T value{};
  check(H5Aread(attribute.get(), memory_type, &value), "attribute '" + name + "' cannot be read");
  return value;
}

void write_scalar_attribute(const Handle& object, const std::string& name, hid_t file_type, hid_t memory_type,
                            const void* value) {
  const std::string what = "attribute '" + name + "' cannot be written";
  const Handle space(H5Screate(H5S_SCALAR), what, ExitCode::io);
  const Handle attribute(H5Acreate2(object.get(), name.c_str(), file_type, space.get(), H5P_DEFAULT, H5P_DEFAULT), what,
                         ExitCode::io);
  check(H5Awrite(attribute.get(), memory_type, value), what, ExitCode::io);
}

Handle variable_string_type() {
  Handle type(H5Tcopy(H5T_C_S1), "a string type cannot be made", ExitCode::internal);
  check(H5Tset_size(type.get(), H5T_VARIABLE), "a string type cannot be made", ExitCode::internal);
  check(H5Tset_cset(type.get(), H5T_CSET_UTF8), "a string type cannot be made", ExitCode::internal);
  return type;
}

void write_dataset(const Handle& where, const std::string& name, const std::vector<u64>& shape, hid_t file_type,
                   hid_t memory_type, const void* values) {
  const std::string what = "dataset '" + name + "' cannot be written";
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  const Handle space(extents.empty() ? H5Screate(H5S_SCALAR)
                                     : H5Screate_simple(base::narrow<int>(extents.size()), extents.data(), nullptr),
                     what, ExitCode::io);
  const Handle links(H5Pcreate(H5P_LINK_CREATE), what, ExitCode::internal);
  check(H5Pset_create_intermediate_group(links.get(), 1), what, ExitCode::internal);
  const Handle dataset(
      H5Dcreate2(where.get(), name.c_str(), file_type, space.get(), links.get(), H5P_DEFAULT, H5P_DEFAULT), what,
      ExitCode::io);
  if (base::checked_product(shape) != 0)
    check(H5Dwrite(dataset.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), what, ExitCode::io);
}

}  // namespace

Handle lock_free_access() {
  initialise();
  Handle access(H5Pcreate(H5P_FILE_ACCESS), "a file access list cannot be made", ExitCode::internal);
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
  check(H5Pset_file_locking(access.get(), false, true), "file locking cannot be switched off", ExitCode::internal);
#endif
  return access;
}

namespace {

void check_readable(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw Error(ExitCode::no_input, path + ": cannot be opened", base::errno_text(errno));
  if (S_ISDIR(status.st_mode)) throw Error(ExitCode::no_input, path + ": cannot be opened", "it is a directory");
  if (!S_ISREG(status.st_mode))
    throw Error(ExitCode::no_input, path + ": cannot be opened", "it is not a regular file");
  if (::access(path.c_str(), R_OK) != 0)
    throw Error(ExitCode::no_input, path + ": cannot be opened", base::errno_text(errno));
}

}  // namespace

Handle open_file(const std::string& path) {
  check_readable(path);
  return open_file(path, regular_access(path));
}

Handle open_file(const std::string& path, const Handle& access) {
  check_readable(path);
  initialise();
  return {H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), path + ": not a readable HDF5 file"};
}

Handle open_image(base::ByteView image) {
  // Without bytes the driver would look for a file of that name.
  if (image.empty()) throw Error(ExitCode::data, "not a readable HDF5 file", "it is empty");
  const Handle access = lock_free_access();
  constexpr std::size_t growth = std::size_t{1} << 20;
  check(H5Pset_fapl_core(access.get(), growth, false), "a file in memory cannot be made", ExitCode::internal);
  std::vector<std::byte> bytes(image.begin(), image.end());  // the C interface wants them writable, and copies them
  check(H5Pset_file_image(access.get(), bytes.data(), bytes.size()), "a file in memory cannot be made",
        ExitCode::internal);
  return {H5Fopen("image", H5F_ACC_RDONLY, access.get()), "not a readable HDF5 file"};
}

Handle create_file(const std::string& path) {
  const Handle access = lock_free_access();
  return {H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), path + ": cannot be created",
          ExitCode::cant_create};
}

bool exists(const Handle& where, const std::string& name) {
  // H5Oexists_by_name needs every link on the way to exist, so each prefix is asked in turn.
  if (name == "/") return true;
  for (std::size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
    const std::string prefix = name.substr(0, end);
    if (H5Lexists(where.get(), prefix.c_str(), H5P_DEFAULT) <= 0 ||
        H5Oexists_by_name(where.get(), prefix.c_str(), H5P_DEFAULT) <= 0) {
      forgive_failure("'" + prefix + "' cannot be looked up");
      return false;
    }
    if (end == std::string::npos) return true;
  }
}

Handle open_group(const Handle& where, const std::string& name) {
  return {H5Gopen2(where.get(), name.c_str(), H5P_DEFAULT), "group '" + name + "' cannot be opened"};
}

Handle open_dataset(const Handle& where, const std::string& name) {
  return {H5Dopen2(where.get(), name.c_str(), H5P_DEFAULT), "dataset '" + name + "' cannot be opened"};
}

Handle create_group(const Handle& where, const std::string& name) {
  const std::string what = "group '" + name + "' cannot be created";
  const Handle links(H5Pcreate(H5P_LINK_CREATE), what, ExitCode::internal);
  check(H5Pset_create_intermediate_group(links.get(), 1), what, ExitCode::internal);
  return {H5Gcreate2(where.get(), name.c_str(), links.get(), H5P_DEFAULT, H5P_DEFAULT), what, ExitCode::io};
}

std::vector<u64> shape_of(const Handle& dataset) {
  const Handle space = space_of(dataset);
  if (H5Sget_simple_extent_type(space.get()) == H5S_NULL)
    throw Error(ExitCode::data, "a dataset is empty (no dataspace)");
  const int rank = check(H5Sget_simple_extent_ndims(space.get()), "a dataspace cannot be read");
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr), "a dataspace cannot be read");
  return {extents.begin(), extents.end()};
}

std::vector<double> read_doubles(const Handle& dataset, u64 limit) {
  return read_numbers<double>(dataset, limit, H5T_NATIVE_DOUBLE);
}

std::vector<base::i64> read_integers(const Handle& dataset, u64 limit) {
  return read_numbers<base::i64>(dataset, limit, H5T_NATIVE_INT64);
}

std::vector<std::string> read_strings(const Handle& dataset, u64 limit) {
  const Handle type(H5Dget_type(dataset.get()), "a datatype cannot be read");
  return strings_of(type, checked_elements(dataset, limit), [&](hid_t memory_type, void* buffer) {
    check(H5Dread(dataset.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer), "strings cannot be read");
  });
}

std::vector<std::string> read_string_field(const Handle& dataset, const std::string& field, u64 limit) {
  const std::string what = "field '" + field + "' cannot be read";
  const Handle records(H5Dget_type(dataset.get()), what);
  if (H5Tget_class(records.get()) != H5T_COMPOUND) throw Error(ExitCode::data, what, "the dataset has no fields");
  const int index = check(H5Tget_member_index(records.get(), field.c_str()), what);
  const Handle type(H5Tget_member_type(records.get(), static_cast<unsigned>(index)), what);
  return strings_of(type, checked_elements(dataset, limit), [&](hid_t member, void* buffer) {
    const Handle alone(H5Tcreate(H5T_COMPOUND, H5Tget_size(member)), what, ExitCode::internal);
    check(H5Tinsert(alone.get(), field.c_str(), 0, member), what, ExitCode::internal);
    check(H5Dread(dataset.get(), alone.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer), what);
  });
}

bool has_attribute(const Handle& object, const std::string& name) {
  const htri_t found = H5Aexists(object.get(), name.c_str());
  if (found < 0) forgive_failure("attribute '" + name + "' cannot be looked up");
  return found > 0;
}

std::string read_string_attribute(const Handle& object, const std::string& name) {
  const Handle attribute = open_attribute(object, name);
  const Handle type(H5Aget_type(attribute.get()), "attribute '" + name + "' cannot be read");
  if (base::checked_product(shape_of(attribute)) != 1)
    throw Error(ExitCode::data, "attribute '" + name + "' is not one text");
  return strings_of(type, 1, [&](hid_t memory_type, void* buffer) {
    check(H5Aread(attribute.get(), memory_type, buffer), "attribute '" + name + "' cannot be read");
  })[0];
}

std::vector<std::string> read_strings_attribute(const Handle& object, const std::string& name, u64 limit) {
  const Handle attribute = open_attribute(object, name);
  const Handle type(H5Aget_type(attribute.get()), "attribute '" + name + "' cannot be read");
  const u64 n = checked_elements(attribute, limit);
  if (n == 0) return {};
  return strings_of(type, n, [&](hid_t memory_type, void* buffer) {
    check(H5Aread(attribute.get(), memory_type, buffer), "attribute '" + name + "' cannot be read");
  });
}

double read_double_attribute(const Handle& object, const std::string& name) {
  return read_scalar_attribute<double>(object, name, H5T_NATIVE_DOUBLE);
}

base::i64 read_integer_attribute(const Handle& object, const std::string& name) {
  return read_scalar_attribute<base::i64>(object, name, H5T_NATIVE_INT64);
}

std::vector<base::i64> read_integers_attribute(const Handle& object, const std::string& name, u64 limit) {
  const Handle attribute = open_attribute(object, name);
  if (class_of(attribute) != H5T_INTEGER)
    throw Error(ExitCode::data, "attribute '" + name + "' does not hold integers");
  std::vector<base::i64> values(checked_elements(attribute, limit));
  if (!values.empty())
    check(H5Aread(attribute.get(), H5T_NATIVE_INT64, values.data()), "attribute '" + name + "' cannot be read");
  return values;
}

void write_attribute(const Handle& object, const std::string& name, const std::string& value) {
  const Handle type = variable_string_type();
  const char* text = value.c_str();
  write_scalar_attribute(object, name, type.get(), type.get(), &text);
}

void write_attribute(const Handle& object, const std::string& name, double value) {
  write_scalar_attribute(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

void write_attribute(const Handle& object, const std::string& name, base::i64 value) {
  write_scalar_attribute(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

void write_attribute(const Handle& object, const std::string& name, const std::vector<base::i64>& values) {
  const std::string what = "attribute '" + name + "' cannot be written";
  const hsize_t extent = values.size();
  const Handle space(H5Screate_simple(1, &extent, nullptr), what);
  const Handle attribute(H5Acreate2(object.get(), name.c_str(), H5T_STD_I64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                         what);
  if (!values.empty()) check(H5Awrite(attribute.get(), H5T_NATIVE_INT64, values.data()), what);
}

void write_doubles(const Handle& where, const std::string& name, const std::vector<u64>& shape,
                   const std::vector<double>& values) {
  write_dataset(where, name, shape, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values.data());
}

void write_integers(const Handle& where, const std::string& name, const std::vector<u64>& shape,
                    const std::vector<base::i64>& values) {
  write_dataset(where, name, shape, H5T_STD_I64LE, H5T_NATIVE_INT64, values.data());
}

void write_strings(const Handle& where, const std::string& name, const std::vector<std::string>& values) {
  const Handle type = variable_string_type();
  std::vector<const char*> pointers;
  for (const auto& value : values) pointers.push_back(value.c_str());
  write_dataset(where, name, {values.size()}, type.get(), type.get(), pointers.data());
}

}  // namespace h5score::h5

// After the "NetCDF Users Guide", appendix "Attribute Conventions", and section 8.1 "Packed Data" of the CF
// conventions.
#include "packing.hpp"

#include "h5score/base/error.hpp"
#include "h5score/h5/io.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace h5score::h5 {
namespace {

using base::Bytes;
using base::ElementKind;
using base::ElementType;

constexpr u64 most_values = 1024;  // of one attribute

// The numbers of an attribute, converted; empty where it is absent or no numbers. `type`: H5T_NATIVE_DOUBLE, or the
// stored type.
template <class T>
std::vector<T> numbers(const Handle& dataset, const std::string& name, hid_t type, u64 size) {
  if (!has_attribute(dataset, name)) return {};
  const std::string what = "attribute '" + name + "' cannot be read";
  const Handle attribute(H5Aopen(dataset.get(), name.c_str(), H5P_DEFAULT), what);
  const Handle stored(H5Aget_type(attribute.get()), what);
  const auto kind = H5Tget_class(stored.get());
  const Handle space(H5Aget_space(attribute.get()), what);
  const auto count = H5Sget_simple_extent_npoints(space.get());
  if ((kind != H5T_INTEGER && kind != H5T_FLOAT) || count < 1 || static_cast<u64>(count) > most_values) return {};
  std::vector<T> values(static_cast<u64>(count) * size / sizeof(T));
  check(H5Aread(attribute.get(), type, values.data()), what);
  return values;
}

std::vector<double> doubles(const Handle& dataset, const std::string& name) {
  return numbers<double>(dataset, name, H5T_NATIVE_DOUBLE, sizeof(double));
}

// The library converts one element of `type` to T, its `native` type.
template <class T>
T converted(const ElementType& type, const std::byte* element, hid_t native) {
  std::array<std::byte, sizeof(double)> buffer{};
  std::memcpy(buffer.data(), element, type.size);
  check(H5Tconvert(datatype(type).get(), native, 1, buffer.data(), nullptr, H5P_DEFAULT),
        "a number cannot be converted", base::ExitCode::internal);
  T value{};
  std::memcpy(&value, buffer.data(), sizeof value);
  return value;
}

double as_double(const ElementType& type, const std::byte* element) {
  return converted<double>(type, element, H5T_NATIVE_DOUBLE);
}

// Values of an attribute in the stored type; those that integers cannot hold are left out.
std::vector<Bytes> stored_values(const Handle& dataset, const std::string& name, const ElementType& type) {
  const auto values = doubles(dataset, name);
  if (values.empty()) return {};
  const auto bytes = numbers<std::byte>(dataset, name, datatype(type).get(), type.size);
  std::vector<Bytes> result;
  for (u64 i = 0; i < values.size(); ++i) {
    const std::byte* element = bytes.data() + i * type.size;
    if (type.kind == ElementKind::floating || as_double(type, element) == values[i])
      result.emplace_back(element, element + type.size);
  }
  return result;
}

// What netCDF writes where nothing was written, unless _FillValue says else. Bytes have none.
std::optional<Bytes> default_fill(const ElementType& type) {
  if (type.size == 1) return std::nullopt;
  if (type.kind == ElementKind::floating) {
    constexpr double fill = 9.9692099683868690e+36;
    std::array<std::byte, sizeof fill> buffer{};
    std::memcpy(buffer.data(), &fill, sizeof fill);
    check(H5Tconvert(H5T_NATIVE_DOUBLE, datatype(type).get(), 1, buffer.data(), nullptr, H5P_DEFAULT),
          "a number cannot be converted", base::ExitCode::internal);
    return Bytes(buffer.begin(), buffer.begin() + type.size);
  }
  // The least signed number plus 1 (16 and 32 bits) or 2 (64 bits); the largest unsigned, for 64 bits less 1.
  const bool is_signed = type.kind == ElementKind::signed_integer;
  const u64 back = type.size == 8 ? 1 : 0;
  const u64 fill = is_signed ? (u64{1} << (type.size * 8 - 1)) + 1 + back : ~u64{0} - back;
  Bytes bytes(type.size);
  for (u32 i = 0; i < type.size; ++i)
    bytes[type.big_endian ? type.size - 1 - i : i] = static_cast<std::byte>(fill >> (8 * i) & 0xffU);
  return bytes;
}

bool of_netcdf(const Handle& dataset) {
  const Handle root(H5Oopen(dataset.get(), "/", H5P_DEFAULT), "the root group cannot be opened");
  return has_attribute(root, "_NCProperties");
}

// Empty where it is absent or no text.
std::string text_attribute(const Handle& dataset, const std::string& name) {
  if (!has_attribute(dataset, name)) return {};
  try {
    return read_string_attribute(dataset, name);
  } catch (const base::Error&) {
    return {};
  }
}

bool is_unsigned(const Handle& dataset) {
  const std::string text = text_attribute(dataset, "_Unsigned");
  return text == "true" || text == "True";
}

// `type`: of the attributes; the range is meant in the `shown` type of the same bits.
void describe_range(const Handle& dataset, const ElementType& type, const ElementType& shown, Packing& packing) {
  const auto range = stored_values(dataset, "valid_range", type);
  const auto least = stored_values(dataset, "valid_min", type);
  const auto most = stored_values(dataset, "valid_max", type);
  if (range.size() == 2) {
    packing.least = as_double(shown, range[0].data());
    packing.most = as_double(shown, range[1].data());
    return;
  }
  if (least.size() == 1) packing.least = as_double(shown, least[0].data());
  if (most.size() == 1) packing.most = as_double(shown, most[0].data());
}

std::vector<double> as_doubles(const Numbers& numbers) {
  std::vector<double> values;
  for (u64 at = 0; at < numbers.values.size(); at += numbers.type.size)
    values.push_back(as_double(numbers.type, numbers.values.data() + at));
  return values;
}

// As few digits as tell it from every other number of its type.
std::string number_text(const ElementType& type, const std::byte* element) {
  const auto text = [](auto value) {
    std::array<char, 32> digits{};
    return std::string(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
  };
  if (type.kind == ElementKind::signed_integer) return text(converted<base::i64>(type, element, H5T_NATIVE_INT64));
  if (type.kind == ElementKind::unsigned_integer) return text(converted<u64>(type, element, H5T_NATIVE_UINT64));
  if (type.size <= sizeof(float)) return text(converted<float>(type, element, H5T_NATIVE_FLOAT));
  return text(as_double(type, element));
}

// `column`: type of the dataset's elements if these are numbers; the attributes that are compared with them are meant
// in it.
std::optional<Attribute> read_meaning(const Handle& dataset, const std::string& name, bool of_elements,
                                      const std::optional<ElementType>& column) {
  const std::string what = "attribute '" + name + "' cannot be read";
  const Handle attribute(H5Aopen(dataset.get(), name.c_str(), H5P_DEFAULT), what);
  const Handle stored(H5Aget_type(attribute.get()), what);
  if (H5Tget_class(stored.get()) == H5T_STRING) return Attribute{name, read_string_attribute(dataset, name)};
  auto type = of_elements && column ? column : element_type(stored);
  if (!type) return std::nullopt;
  type->big_endian = false;
  Numbers found{*type, {}};
  if (of_elements && column) {
    for (const auto& value : stored_values(dataset, name, *type))
      found.values.insert(found.values.end(), value.begin(), value.end());
    if (type->kind == ElementKind::signed_integer && is_unsigned(dataset))
      found.type.kind = ElementKind::unsigned_integer;
  } else {
    found.values = numbers<std::byte>(dataset, name, datatype(*type).get(), type->size);
  }
  if (found.values.empty()) return std::nullopt;
  return Attribute{name, std::move(found)};
}

}  // namespace

std::vector<Attribute> meaning_of(const Handle& dataset) {
  constexpr std::array of_elements{"_FillValue", "missing_value", "valid_min", "valid_max", "valid_range"};
  constexpr std::array others{"scale_factor", "add_offset", "_Unsigned",    "units",
                              "calendar",     "long_name",  "standard_name"};
  const Handle stored(H5Dget_type(dataset.get()), "a datatype cannot be read");
  const auto column = element_type(stored);
  const bool is_number = column && column->numeric();
  std::vector<Attribute> found;
  const auto read = [&](const char* name, bool in_elements) {
    if (!has_attribute(dataset, name)) return;
    try {
      if (auto one = read_meaning(dataset, name, in_elements, is_number ? column : std::nullopt))
        found.push_back(std::move(*one));
    } catch (const base::Error& error) {
      if (error.code() == base::ExitCode::io) throw;
      H5Eclear2(H5E_DEFAULT);  // no text and no numbers: for netCDF it is as if it were not there
    }
  };
  for (const char* name : others) read(name, false);
  for (const char* name : of_elements) read(name, true);
  return found;
}

bool same_value(const Attribute& a, const Attribute& b) {
  const auto* one = std::get_if<Numbers>(&a.value);
  const auto* other = std::get_if<Numbers>(&b.value);
  if (one == nullptr || other == nullptr || one->type == other->type) return a.value == b.value;
  const auto left = as_doubles(*one);
  const auto right = as_doubles(*other);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](double x, double y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

std::string value_text(const Attribute& attribute) {
  if (const auto* text = std::get_if<std::string>(&attribute.value)) return '\'' + *text + '\'';
  const auto& numbers = std::get<Numbers>(attribute.value);
  std::string text;
  for (u64 at = 0; at < numbers.values.size(); at += numbers.type.size)
    text += (at == 0 ? "" : " and ") + number_text(numbers.type, numbers.values.data() + at);
  return text;
}

void describe_packing(const Handle& dataset, DatasetFacts& facts) {
  facts.scale = text_attribute(dataset, "CLASS") == "DIMENSION_SCALE";
  if (!facts.type || !facts.type->numeric()) return;
  if (facts.type->kind == ElementKind::signed_integer && is_unsigned(dataset)) {
    facts.type->kind = ElementKind::unsigned_integer;
    facts.read_as = facts.type;
    facts.type_name = to_string(*facts.type);
  }
  Packing packing;
  // The attributes have the type before _Unsigned; their bits count.
  const Handle stored(H5Dget_type(dataset.get()), "a datatype cannot be read");
  const auto type = element_type(stored).value_or(*facts.type);
  packing.missing = stored_values(dataset, "missing_value", type);
  auto fills = stored_values(dataset, "_FillValue", type);
  if (fills.empty() && !has_attribute(dataset, "_FillValue") && of_netcdf(dataset))
    if (const auto fill = default_fill(*facts.type); fill && facts.fill == *fill) fills.push_back(*fill);
  packing.missing.insert(packing.missing.end(), fills.begin(), fills.end());
  describe_range(dataset, type, *facts.type, packing);
  if (const auto scale = doubles(dataset, "scale_factor"); scale.size() == 1) packing.scale = scale[0];
  if (const auto offset = doubles(dataset, "add_offset"); offset.size() == 1) packing.offset = offset[0];
  if (packing != Packing{}) facts.packing = std::move(packing);
}

}  // namespace h5score::h5

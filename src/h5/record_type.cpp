// Walks through compound types.
#include "record_type.hpp"

#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

namespace h5score::h5 {
namespace {

using base::ElementKind;
using base::ElementType;
using base::Error;
using base::ExitCode;

constexpr std::size_t most_fields = std::size_t{1} << 20;

Handle member_type(const Handle& type, unsigned member) {
  return {H5Tget_member_type(type.get(), member), "a field's type cannot be read"};
}

std::string member_name(const Handle& type, unsigned member) {
  char* const text = H5Tget_member_name(type.get(), member);
  if (text == nullptr) throw Error(ExitCode::data, "a field's name cannot be read", take_error_text());
  std::string name = text;
  H5free_memory(text);
  return name;
}

unsigned member_count(const Handle& type) {
  return static_cast<unsigned>(check(H5Tget_nmembers(type.get()), "a type's fields cannot be counted"));
}

Handle base_type(const Handle& type) {
  return {H5Tget_super(type.get()), "an array's element type cannot be read"};
}

std::vector<u64> extents_of(const Handle& type) {
  const int rank = check(H5Tget_array_ndims(type.get()), "an array type cannot be read");
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  check(H5Tget_array_dims2(type.get(), extents.data()), "an array type cannot be read");
  return {extents.begin(), extents.end()};
}

bool has_variable(const Handle& type) {
  switch (H5Tget_class(type.get())) {
    case H5T_VLEN:
      return true;
    case H5T_STRING:
      return H5Tis_variable_str(type.get()) > 0;
    case H5T_ARRAY:
      return has_variable(base_type(type));
    case H5T_COMPOUND:
      for (unsigned i = 0; i < member_count(type); ++i)
        if (has_variable(member_type(type, i))) return true;
      return false;
    default:
      return false;
  }
}

Handle pruned(const Handle& type);

Handle pruned_compound(const Handle& type) {
  const std::string what = "a compound type cannot be made";
  std::vector<std::pair<std::string, Handle>> kept;
  std::size_t size = 0;
  for (unsigned i = 0; i < member_count(type); ++i) {
    Handle member = pruned(member_type(type, i));
    if (!member) continue;
    size += H5Tget_size(member.get());
    kept.emplace_back(member_name(type, i), std::move(member));
  }
  if (kept.empty()) return {};
  Handle compound(H5Tcreate(H5T_COMPOUND, size), what);
  std::size_t offset = 0;
  for (const auto& [name, member] : kept) {
    check(H5Tinsert(compound.get(), name.c_str(), offset, member.get()), what);
    offset += H5Tget_size(member.get());
  }
  return compound;
}

// The type without what has a variable length.
Handle pruned(const Handle& type) {
  const std::string what = "a type cannot be copied";
  if (!has_variable(type)) return {H5Tcopy(type.get()), what};
  if (H5Tget_class(type.get()) == H5T_COMPOUND) return pruned_compound(type);
  if (H5Tget_class(type.get()) != H5T_ARRAY) return {};
  const Handle element = pruned(base_type(type));
  if (!element) return {};
  const auto extents = extents_of(type);
  const std::vector<hsize_t> dims(extents.begin(), extents.end());
  return {H5Tarray_create2(element.get(), base::narrow<unsigned>(dims.size()), dims.data()), what};
}

std::string bits_text(hid_t type) {
  return std::to_string(H5Tget_precision(type)) + "-bit";
}

std::string damage_text(hid_t type) {
  return bits_fit(type) ? "" : " in " + std::to_string(H5Tget_size(type)) + " bytes";
}

std::string place_text(const std::vector<u64>& shape, u64 element) {
  std::string text;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    text = std::to_string(element % shape[axis]) + (text.empty() ? "" : ",") + text;
    element /= shape[axis];
  }
  return "[" + text + "]";
}

void add_fields(const Handle& type, const std::string& prefix, u64 offset, DatasetFacts& facts);

void add_field(const Handle& type, const std::string& name, u64 offset, DatasetFacts& facts) {
  if (facts.fields.size() + facts.left_out.size() >= most_fields)
    throw Error(ExitCode::data, "a compound type has too many fields");
  const auto type_class = H5Tget_class(type.get());
  if (type_class == H5T_COMPOUND) {
    add_fields(type, name + ".", offset, facts);
    return;
  }
  if (type_class != H5T_ARRAY) {
    const auto element = stored_type(type);
    if (element)
      facts.fields.push_back({name, offset, *element, {}});
    else
      facts.left_out.push_back(name + " (" + type_name(type.get()) + ")");
    return;
  }
  const Handle element = base_type(type);
  const auto shape = extents_of(type);
  if (const auto stored = stored_type(element)) {
    facts.fields.push_back({name, offset, *stored, shape});
    return;
  }
  const u64 count = base::checked_product(shape);
  if (count > most_fields) throw Error(ExitCode::data, "a compound type has too many fields");
  for (u64 i = 0; i < count; ++i)
    add_field(element, name + place_text(shape, i), offset + i * H5Tget_size(element.get()), facts);
}

void add_fields(const Handle& type, const std::string& prefix, u64 offset, DatasetFacts& facts) {
  for (unsigned i = 0; i < member_count(type); ++i)
    add_field(member_type(type, i), prefix + member_name(type, i), offset + H5Tget_member_offset(type.get(), i), facts);
}

void add_variable_fields(const Handle& type, DatasetFacts& facts) {
  for (unsigned i = 0; i < member_count(type); ++i)
    if (const Handle member = member_type(type, i); has_variable(member))
      facts.left_out.push_back(member_name(type, i) + " (" + type_name(member.get()) + ")");
}

// The first field that cannot be as the file says, and why; empty: there is none.
std::string damaged_field(const Handle& type, const std::string& name) {
  const auto type_class = H5Tget_class(type.get());
  if (type_class == H5T_ENUM || type_class == H5T_ARRAY) return damaged_field(base_type(type), name);
  const bool number = type_class == H5T_INTEGER || type_class == H5T_FLOAT || type_class == H5T_BITFIELD;
  if (number && !bits_fit(type.get())) return name + " (damaged: a " + type_name(type.get()) + ")";
  if (type_class != H5T_COMPOUND) return {};
  const std::size_t record_bytes = H5Tget_size(type.get());
  for (unsigned i = 0; i < member_count(type); ++i) {
    const Handle member = member_type(type, i);
    const std::string path = (name.empty() ? "" : name + ".") + member_name(type, i);
    const std::size_t offset = H5Tget_member_offset(type.get(), i);
    if (offset > record_bytes || H5Tget_size(member.get()) > record_bytes - offset)
      return path + " (damaged: it ends beyond its record of " + std::to_string(record_bytes) + " bytes)";
    if (auto damage = damaged_field(member, path); !damage.empty()) return damage;
  }
  return {};
}

}  // namespace

bool bits_fit(hid_t type) {
  const std::size_t bits = H5Tget_size(type) * 8;
  const std::size_t precision = H5Tget_precision(type);
  const int offset = H5Tget_offset(type);
  return offset >= 0 && precision > 0 && precision <= bits && static_cast<std::size_t>(offset) <= bits - precision;
}

std::string type_name(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return bits_text(type) + " integer" + damage_text(type);
    case H5T_FLOAT:
      return bits_text(type) + " float" + damage_text(type);
    case H5T_BITFIELD:
      return bits_text(type) + " field" + damage_text(type);
    case H5T_STRING:
      return H5Tis_variable_str(type) > 0 ? "variable-length text"
                                          : "text of " + std::to_string(H5Tget_size(type)) + " bytes";
    case H5T_COMPOUND:
      return "compound of " + std::to_string(H5Tget_nmembers(type)) + " fields";
    case H5T_ENUM:
      return "enumeration";
    case H5T_ARRAY:
      return "array type";
    case H5T_VLEN:
      return "variable-length sequence";
    case H5T_REFERENCE:
      return "reference";
    case H5T_OPAQUE:
      return "opaque bytes";
    default:
      return "unknown type";
  }
}

std::optional<ElementType> stored_type(const Handle& type) {
  if (H5Tget_class(type.get()) != H5T_BITFIELD) return element_type(type);
  const std::size_t size = H5Tget_size(type.get());
  const bool whole = H5Tget_precision(type.get()) == size * 8 && (size == 1 || size == 2 || size == 4 || size == 8);
  if (!whole) return std::nullopt;
  return ElementType{.kind = ElementKind::unsigned_integer,
                     .size = base::narrow<u32>(size),
                     .big_endian = H5Tget_order(type.get()) == H5T_ORDER_BE};
}

Handle record_type(const Handle& type) {
  return pruned(type);
}

void describe_fields(const Handle& type, DatasetFacts& facts) {
  if (H5Tget_class(type.get()) != H5T_COMPOUND) return;
  // Where one field is damaged, the places of the others may be as wrong.
  if (auto damage = damaged_field(type, ""); !damage.empty()) {
    facts.left_out.push_back(std::move(damage));
    return;
  }
  facts.raw_records = !has_variable(type);
  if (!facts.raw_records) add_variable_fields(type, facts);
  const Handle record = pruned(type);
  if (!record) return;
  facts.record_bytes = H5Tget_size(record.get());
  add_fields(record, "", 0, facts);
}

}  // namespace h5score::h5

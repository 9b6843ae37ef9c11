// HDF5 datatypes to element types and back.
#include "h5score/base/element_type.hpp"

#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

namespace h5score::h5 {
namespace {

using base::ElementKind;
using base::ElementType;

// True if the type uses all its bits, so that bytes can be converted without HDF5.
bool plain(hid_t type, std::size_t size) {
  return H5Tget_precision(type) == size * 8 && H5Tget_offset(type) == 0;
}

bool power_of_two_up_to_8(std::size_t size) {
  return size == 1 || size == 2 || size == 4 || size == 8;
}

std::optional<ElementType> integer_type(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  if (!power_of_two_up_to_8(size) || !plain(type, size)) return std::nullopt;
  const auto kind = H5Tget_sign(type) == H5T_SGN_NONE ? ElementKind::unsigned_integer : ElementKind::signed_integer;
  return ElementType{
      .kind = kind, .size = base::narrow<base::u32>(size), .big_endian = H5Tget_order(type) == H5T_ORDER_BE};
}

// IEEE binary16/32/64 by their field positions; other float formats (VAX, long double, bfloat16) are left to HDF5.
std::optional<ElementType> float_type(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  if (size != 2 && size != 4 && size != 8) return std::nullopt;
  const auto order = H5Tget_order(type);
  if (order != H5T_ORDER_LE && order != H5T_ORDER_BE) return std::nullopt;
  std::size_t sign = 0;
  std::size_t exponent = 0;
  std::size_t exponent_bits = 0;
  std::size_t mantissa = 0;
  std::size_t mantissa_bits = 0;
  if (H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) < 0) return std::nullopt;
  const std::size_t expected = size == 2 ? 5 : (size == 4 ? 8 : 11);
  const bool ieee = plain(type, size) && sign == size * 8 - 1 && mantissa == 0 && exponent_bits == expected &&
                    exponent == mantissa_bits && mantissa_bits == size * 8 - 1 - expected &&
                    H5Tget_norm(type) == H5T_NORM_IMPLIED &&
                    H5Tget_ebias(type) == (std::size_t{1} << (expected - 1)) - 1;
  if (!ieee) return std::nullopt;
  return ElementType{
      .kind = ElementKind::floating, .size = base::narrow<base::u32>(size), .big_endian = order == H5T_ORDER_BE};
}

}  // namespace

std::optional<ElementType> element_type(const Handle& datatype) {
  switch (H5Tget_class(datatype.get())) {
    case H5T_INTEGER:
      return integer_type(datatype.get());
    case H5T_ENUM:
      return element_type(Handle(H5Tget_super(datatype.get()), "an enumeration has no base type"));
    case H5T_FLOAT:
      return float_type(datatype.get());
    case H5T_STRING:
      if (H5Tis_variable_str(datatype.get()) != 0) return std::nullopt;
      return ElementType{.kind = ElementKind::fixed_string,
                         .size = base::narrow<base::u32>(H5Tget_size(datatype.get())),
                         .utf8 = H5Tget_cset(datatype.get()) == H5T_CSET_UTF8,
                         .space_padded = H5Tget_strpad(datatype.get()) == H5T_STR_SPACEPAD};
    default:
      return std::nullopt;
  }
}

Handle datatype(const ElementType& type) {
  const std::string what = "a datatype cannot be made";
  const auto internal = base::ExitCode::internal;
  if (type.kind == ElementKind::fixed_string) {
    Handle text(H5Tcopy(H5T_C_S1), what, internal);
    check(H5Tset_size(text.get(), type.size), what, internal);
    check(H5Tset_strpad(text.get(), type.space_padded ? H5T_STR_SPACEPAD : H5T_STR_NULLPAD), what, internal);
    check(H5Tset_cset(text.get(), type.utf8 ? H5T_CSET_UTF8 : H5T_CSET_ASCII), what, internal);
    return text;
  }
  hid_t base_type = H5I_INVALID_HID;
  if (type.kind == ElementKind::floating) {
    base_type = type.size == 8 ? H5T_IEEE_F64LE : H5T_IEEE_F32LE;
  } else {
    const bool is_signed = type.kind == ElementKind::signed_integer;
    if (type.size == 1) base_type = is_signed ? H5T_STD_I8LE : H5T_STD_U8LE;
    if (type.size == 2) base_type = is_signed ? H5T_STD_I16LE : H5T_STD_U16LE;
    if (type.size == 4) base_type = is_signed ? H5T_STD_I32LE : H5T_STD_U32LE;
    if (type.size == 8) base_type = is_signed ? H5T_STD_I64LE : H5T_STD_U64LE;
  }
  Handle copy(H5Tcopy(base_type), what, internal);
  if (type.kind == ElementKind::floating && type.size == 2) {
    check(H5Tset_fields(copy.get(), 15, 10, 5, 0, 10), what, internal);
    check(H5Tset_size(copy.get(), 2), what, internal);
    check(H5Tset_ebias(copy.get(), 15), what, internal);
  }
  if (type.big_endian) check(H5Tset_order(copy.get(), H5T_ORDER_BE), what, internal);
  return copy;
}

}  // namespace h5score::h5

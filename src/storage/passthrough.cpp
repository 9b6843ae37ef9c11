// Copies fields and texts out of stored rows.
#include "passthrough.hpp"

#include <algorithm>

namespace h5score::storage {
namespace {

using base::ElementType;

void copy_element(const std::byte* from, const ElementType& type, const ElementType& wanted, std::byte* to) {
  if (type == wanted) {
    std::copy(from, from + type.size, to);
    return;
  }
  if (wanted.kind != base::ElementKind::fixed_string) {
    std::reverse_copy(from, from + type.size, to);
    return;
  }
  std::copy(from, from + type.size, to);
  std::byte* end = to + type.size;
  const bool drop_spaces = type.space_padded && !wanted.space_padded;
  while (drop_spaces && end != to && end[-1] == std::byte{' '}) --end;
  std::fill(end, to + wanted.size, std::byte{wanted.space_padded ? u8{' '} : u8{0}});
}

}  // namespace

bool lies_as_output(const ArrayRows& rows, const StoredField& field, const PassthroughColumn& column) {
  return field.type == column.type && rows.row_bytes == column.row_bytes();
}

void copy_column(const ArrayRows& rows, const StoredField& field, u64 count, const PassthroughColumn& column,
                 base::AlignedBuffer& out) {
  const u64 elements = column.row_bytes() / column.type.size;
  out.resize(count * column.row_bytes());
  std::byte* to = out.data();
  for (u64 row = 0; row < count; ++row) {
    const std::byte* from = rows.data + row * rows.row_bytes + field.offset;
    for (u64 e = 0; e < elements; ++e, from += field.type.size, to += column.type.size)
      copy_element(from, field.type, column.type, to);
  }
}

}  // namespace h5score::storage

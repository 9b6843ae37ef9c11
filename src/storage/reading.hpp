// How a dataset is read as rows, or why it is not.
#pragma once

#include "h5score/h5/dataset.hpp"
#include "h5score/storage/layout.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

/// What an array is wanted for: features must be numbers, passthrough columns may also be text, records must have
/// fields of numbers, elements of a sparse matrix are numbers of which there may be none.
enum class Role : u8 { features, records, elements, passthrough };

/// What the arrays of a table are wanted for.
[[nodiscard]] constexpr Role role_of(TableKind kind) {
  if (kind == TableKind::sparse) return Role::elements;
  return kind == TableKind::compound ? Role::records : Role::features;
}

/// The role of a dataset that is named as a table: compound types hold records.
[[nodiscard]] inline Role role_of(const h5::DatasetFacts& facts) {
  return facts.record_bytes != 0 || !facts.left_out.empty() ? Role::records : Role::features;
}

/// Why the dataset cannot serve in this role; empty if it can.
std::string refusal(const h5::DatasetFacts& facts, Role role);

/// How the bytes of a dataset that is not refused are reached.
Access access_of(const h5::DatasetFacts& facts);

/// One line for people: "by its chunks: gzip, shuffle", "by the name node: virtual layout".
std::string reading_text(const h5::DatasetFacts& facts);

/// The decoder's view of a dataset that is not refused. Throws Error(data) for facts that contradict themselves: they
/// come from a process that a damaged file may have taken over.
ArrayFormat array_format(const h5::DatasetFacts& facts);

/// "(70000, 784) uint8"
std::string shape_text(const h5::DatasetFacts& facts);

}  // namespace h5score::storage

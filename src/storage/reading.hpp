// How a dataset is read as rows, or why it is not.
#pragma once

#include "h5score/h5/dataset.hpp"
#include "h5score/storage/layout.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

/// What an array is wanted for: features must be numbers, passthrough columns may also be text.
enum class Role : u8 { features, passthrough };

/// Why the dataset cannot serve in this role; empty if it can.
std::string refusal(const h5::DatasetFacts& facts, Role role);

/// How the bytes of a dataset that is not refused are reached.
Access access_of(const h5::DatasetFacts& facts);

/// One line for people: "by its chunks: gzip, shuffle", "by the name node: virtual layout".
std::string reading_text(const h5::DatasetFacts& facts);

/// The decoder's view of a dataset that is not refused. Throws Error(data) for facts that contradict themselves: they
/// come from a process that a damaged file may have taken over.
ArrayFormat array_format(const h5::DatasetFacts& facts);

/// The datasets among which --dataset is chosen when it is left out: numeric ones of two or more dimensions, or if
/// there is none, those of one.
std::vector<h5::DatasetFacts> candidates(const std::vector<h5::DatasetFacts>& all);

/// "(70000, 784) uint8"
std::string shape_text(const h5::DatasetFacts& facts);

}  // namespace h5score::storage

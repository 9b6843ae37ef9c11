// Columns of AnnData's data frames: where they lie, and texts that are stored as numbers of categories. For the name
// node: these functions call the HDF5 library.
#pragma once

#include "h5score/h5/dataset.hpp"

#include <optional>
#include <string>
#include <vector>

namespace h5score::storage {

using base::u64;

/// The codes of a categorical column `name`, to be read as texts: a group of `codes` and `categories`, or, before
/// AnnData 0.8, a dataset whose attribute `categories` refers to them. nullopt if it is not one. Throws Error(data)
/// naming path and column where the categories are no texts.
std::optional<h5::DatasetFacts> describe_categorical(const std::string& path, const std::string& name);

/// The texts that the codes of a categorical column stand for. Throws Error(data) where one is longer than
/// facts.read_as.size.
std::vector<std::string> read_categories(const h5::DatasetFacts& facts);

/// Texts of `size` bytes each for codes as int64; a code without a category is the empty text. `categories` are no
/// longer than that.
base::Bytes decode_categories(const std::vector<std::string>& categories, u64 size, base::ByteView codes);

/// Where a column beside table `table` may lie, in order of preference: in its group (10x), beside it, in the frame
/// `obs` of the cells (AnnData), or from the root. `_index` is the column that labels a frame's rows.
std::vector<std::string> places_of_column(const std::string& path, const std::string& table, const std::string& name);

}  // namespace h5score::storage

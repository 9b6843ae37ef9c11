// The tables that a file offers: arrays, groups of columns, compound datasets. Runs in the name node.
#pragma once

#include "name_node_calls.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

/// The columns of compound records / of the 1-d datasets of numbers in a group that have the most common length, with
/// their names. Both may find none.
TableFacts compound_table(h5::DatasetFacts facts);
TableFacts group_table(const std::string& group, const std::vector<h5::Member>& members);

/// The table that `dataset` names: an array, a compound dataset or a group. Throws Error(data) naming path and dataset
/// where it cannot be read as rows of numbers.
TableFacts describe_table(const std::string& path, const std::string& dataset);

/// All tables of a file whose datasets are `all`.
std::vector<FoundTable> find_tables(const std::vector<h5::DatasetFacts>& all);

/// Those among which --dataset is chosen when it is left out.
std::vector<FoundTable> candidates(std::vector<FoundTable> tables);

}  // namespace h5score::storage

// What becomes of missing values: in the source's columns (the same for all models), and, where --missing fill asks for
// it or --fill names a feature that is no column, by a stage in front of a model.
#pragma once

#include "binding.hpp"

#include <span>
#include <string>
#include <vector>

namespace h5score::run {

/// A model and how it was bound.
struct ModelToFill {
  model::Model& model;
  BoundModel& bound;  ///< its report gets notes
  const std::string& path;
};

/// Prepends to every model the Impute stage that the options ask for, if any, and returns what is done to columns.
/// Fills of columns that no model reads are left out, so that they are not read. With `fill` a feature needs a value if
/// a missing value in it matters to the model: that of --fill, else its training mean. Compiles the models then. Throws
/// Error(data) where a name is neither a column nor a feature, or where a mean is needed and not known.
storage::Treatment treat_missing(const FeatureBinder& binder, const storage::SourceTable& table,
                                 std::span<const ModelToFill> models, const ScoreOptions& options);

/// What is done to columns, for people: the same for all models. One sentence each; empty: nothing.
std::vector<std::string> treatment_notes(const storage::SourceTable& table, const storage::Treatment& treatment);

}  // namespace h5score::run

// One row of a score file, explained: where it came from, and which values its features had.
#pragma once

#include "h5score/h5/sandbox.hpp"
#include "h5score/storage/binding.hpp"
#include "h5score/storage/score_description.hpp"

#include <string>
#include <vector>

namespace h5score::run {

using base::u64;

/// How a model's features were made, as the score file records it.
struct RecordedModel {
  std::string name;                   ///< empty: root group
  std::vector<std::string> features;  ///< names; empty: none
  std::vector<std::string> sources;   ///< "/photometry/mag_g - mag_r", one per feature
  storage::Binding binding;
};
struct FeatureRecord {
  std::string dataset;               ///< of the input
  std::string feature_names;         ///< dataset in each input that names its columns; empty: they name themselves
  std::vector<std::string> columns;  ///< names of the input's columns; empty: they are found by number
  std::vector<u64> dataset_rows;     ///< per input: the dataset's row that its first row here is
  storage::Treatment treatment;
  std::vector<RecordedModel> models;
};
/// JSON of our own for the score file; and back. Throws Error(data) where it is damaged.
std::string to_json(const FeatureRecord& record);
FeatureRecord parse_feature_record(const std::string& json);

/// Where a row of a score file came from. Throws Error(usage) where there is no such row.
struct RowOrigin {
  u64 input = 0;  ///< index into ScoreDescription::inputs
  u64 row = 0;    ///< of the input's dataset
};
RowOrigin origin_of(const storage::ScoreDescription& scores, const FeatureRecord& record, u64 row);

/// The features of one row as its models read them, from the input; one vector per model. Throws what opening and
/// reading the input throws, Error(data) also where the record's columns are not in it.
std::vector<std::vector<double>> read_features(h5::Sandbox& name_node, const storage::ScoreDescription& scores,
                                               const FeatureRecord& record, const RowOrigin& origin);

}  // namespace h5score::run

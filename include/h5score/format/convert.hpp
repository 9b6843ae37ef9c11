// What `h5score convert` does between reading and writing: models are joined, labelled and given stages of their own.
#pragma once

#include "h5score/format/format.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace h5score::format {

/// A model and the file that it came from, for messages.
struct Part {
  std::string path;
  model::Model model;
};

/// One model that does what the parts do one after the other: a scaler and a network. The last one's head, precision
/// and origin are kept, the first one's names, shape and reference. Golden rows do not survive: `notes` says so. Throws
/// Error(data) naming both files where widths or names do not fit, or where another than the last is a classifier.
model::Model join(std::vector<Part> parts, std::vector<std::string>& notes);

/// What is to be added to a model; everything is optional.
struct Preparation {
  std::vector<std::string> feature_names;
  std::optional<model::ClassLabels> classes;
  std::vector<std::string> targets;
  std::optional<model::Precision> precision;
  std::vector<double> missing_values;                 ///< become MarkMissing stages
  std::vector<std::pair<std::string, double>> fills;  ///< becomes an Impute of these features
  std::optional<double> total_count;
  bool log1p = false;
  std::optional<std::pair<double, double>> clip;  ///< low, high
};

/// Order of what is added: marks, fills, Log1p, and a Clip, that is after the model's own Scale where it begins with
/// one (as in scanpy). Golden rows that would not fit the new features any more are dropped, and `notes` says so.
/// Throws Error(data) where something does not fit the model.
void prepare(model::Model& model, const Preparation& preparation, std::vector<std::string>& notes);

/// Outputs of the original library for rows of features, from a file of numpy's: fields `rows` and any of `prediction`,
/// `decision`, `probability`, `label`, and `mean`, `stddev`, `minimum`, `maximum` of the training data.
struct Reference {
  std::map<std::string, model::Matrix> numbers;
  std::vector<std::string> labels;  ///< `label`, as texts
};

/// Reads an .npz archive, or an .npy file with one record per row. Throws Error(data) naming the file and the field.
Reference read_reference(const std::string& path);
/// Stores the first 256 rows of `reference` as golden rows, and its statistics. Call it after prepare(). Throws
/// Error(data) where shapes or labels do not fit the model.
void set_reference(model::Model& model, const Reference& reference, std::vector<std::string>& notes);

/// Names from a text file, one a line, or from a dataset of texts (FILE.h5:/dataset). Throws Error(no_input) where it
/// cannot be read, Error(data) where it holds no names, or others than UTF-8.
std::vector<std::string> read_names(const std::string& source);

template <class A>
void archive(A& ar, Reference& v) {
  ar(v.numbers, v.labels);
}

}  // namespace h5score::format

// What the original library said: golden rows and statistics from numpy's files, and lists of names.
#include "h5score/base/error.hpp"
#include "h5score/base/name_list.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/format/convert.hpp"
#include "h5score/h5/io.hpp"

#include "classify.hpp"
#include "npy.hpp"
#include "printable.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace h5score::format {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;
using model::Matrix;
using model::Model;

constexpr u64 most_golden_rows = 256;
constexpr const char* layout =
    "save it by numpy.savez(file, rows=..., and any of prediction, decision, probability, label, mean, stddev, "
    "minimum, "
    "maximum)";
constexpr std::array per_row{"rows", "prediction", "decision", "probability"};
constexpr std::array per_feature{"mean", "stddev", "minimum", "maximum"};

// n values, or n x k; further dimensions are flattened.
Matrix as_matrix(npy::Array array) {
  if (array.shape.empty()) throw Error(ExitCode::data, "it is a single number");
  const u64 cols = base::checked_product(std::span(array.shape).subspan(1));
  return {.rows = array.shape[0], .cols = cols, .values = std::move(array.numbers)};
}

// 3 stays "3", 2.5 "2.5": compared with model::class_name().
std::vector<std::string> as_texts(const npy::Array& array) {
  if (!array.texts.empty()) return array.texts;
  std::vector<base::i64> integers;
  model::ClassLabels labels = array.numbers;
  const bool whole = std::all_of(array.numbers.begin(), array.numbers.end(),
                                 [](double v) { return std::trunc(v) == v && std::abs(v) < 9e15; });
  if (whole) {
    for (const double v : array.numbers) integers.push_back(static_cast<base::i64>(v));
    labels = std::move(integers);
  }
  std::vector<std::string> texts;
  for (u64 i = 0; i < array.numbers.size(); ++i) texts.push_back(model::class_name(labels, i));
  return texts;
}

template <std::size_t N>
bool is_one_of(const std::string& name, const std::array<const char*, N>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Matrix first_rows(const Matrix& matrix, u64 rows) {
  const auto end = matrix.values.begin() + base::narrow<std::ptrdiff_t>(rows * matrix.cols);
  return {.rows = rows, .cols = matrix.cols, .values = {matrix.values.begin(), end}};
}

// Codes of labels, by their texts.
std::vector<base::i64> codes_of(const Model& model, const std::vector<std::string>& labels, u64 rows) {
  const u64 classes = model::class_count(model.head.classes);
  std::vector<std::string> names;
  for (u64 i = 0; i < classes; ++i) names.push_back(model::class_name(model.head.classes, i));
  std::vector<base::i64> codes;
  for (u64 row = 0; row < rows; ++row) {
    const auto found = std::find(names.begin(), names.end(), labels[row]);
    if (found == names.end())
      throw Error(ExitCode::data, "the reference has a label " + shown(labels[row]), "the model has no such class",
                  "name the classes by --classes, in the order of the model's outputs");
    codes.push_back(found - names.begin());
  }
  return codes;
}

// A binary classifier's probability of the second class stands for both.
Matrix both_probabilities(const Model& model, Matrix probability) {
  if (model.head.kind != model::HeadKind::binary || probability.cols != 1) return probability;
  Matrix both{.rows = probability.rows, .cols = 2, .values = {}};
  for (const double p : probability.values) both.values.insert(both.values.end(), {1 - p, p});
  return both;
}

model::GoldenRows golden_of(const Model& model, const Reference& reference, u64 rows) {
  const auto part = [&](const char* name) {
    const auto found = reference.numbers.find(name);
    return found == reference.numbers.end() ? Matrix{} : first_rows(found->second, rows);
  };
  model::GoldenRows golden;
  golden.rows = part("rows");
  if (golden.rows.cols != model.n_features)
    throw Error(ExitCode::data, "the reference's rows have " + std::to_string(golden.rows.cols) + " values",
                "the model has " + std::to_string(model.n_features) + " features");
  golden.prediction = part("prediction");
  golden.decision = part("decision");
  golden.probability = both_probabilities(model, part("probability"));
  if (model.head.kind == model::HeadKind::values) {
    if (!golden.decision.values.empty() || !golden.probability.values.empty() || !reference.labels.empty())
      throw Error(ExitCode::data, "the reference is of a classifier", "the model has no classes", "add --classes");
  } else if (!reference.labels.empty()) {
    if (model.head.kind == model::HeadKind::multilabel)
      throw Error(ExitCode::data, "the reference's labels do not fit", "the model may give several to a row");
    golden.label_codes = codes_of(model, reference.labels, rows);
  }
  return golden;
}

}  // namespace

Reference read_reference(const std::string& path) {
  npy::Fields fields = npy::read(path);
  Reference reference;
  for (auto& [name, array] : fields) {
    try {
      const bool known = name == "label" || is_one_of(name, per_row) || is_one_of(name, per_feature);
      if (!known)
        throw Error(ExitCode::data, name.empty() ? "a plain array does not say what it holds" : "it is unknown here",
                    "", layout);
      if (name == "label")
        reference.labels = as_texts(array);
      else if (!array.texts.empty())
        throw Error(ExitCode::data, "it holds texts, numbers are expected");
      else
        reference.numbers[name] = as_matrix(std::move(array));
    } catch (const Error& e) {
      throw e.in(name.empty() ? path : path + ": array " + shown(name));
    }
  }
  const auto rows = reference.numbers.find("rows");
  if (rows == reference.numbers.end()) throw Error(ExitCode::data, path + ": array 'rows' is missing", "", layout);
  const auto check = [&](const std::string& name, u64 found) {
    if (found != rows->second.rows)
      throw Error(ExitCode::data, path + ": array '" + name + "' has " + std::to_string(found) + " rows",
                  std::to_string(rows->second.rows) + " expected");
  };
  for (const auto& [name, matrix] : reference.numbers)
    if (is_one_of(name, per_row)) check(name, matrix.rows);
  if (fields.contains("label")) check("label", reference.labels.size());
  if (rows->second.rows == 0) throw Error(ExitCode::data, path + ": it holds no rows");
  return reference;
}

void set_reference(Model& model, const Reference& reference, std::vector<std::string>& notes) {
  const u64 given = reference.numbers.at("rows").rows;
  const u64 rows = std::min(given, most_golden_rows);
  if (rows < given)
    notes.push_back("the first " + std::to_string(rows) + " of " + std::to_string(given) +
                    " reference rows are stored");
  model.golden = golden_of(model, reference, rows);
  if (model.head.kind != model::HeadKind::values) name_golden(*model.golden, model.head);
  model::FeatureReference features;
  const std::array targets{&features.mean, &features.stddev, &features.minimum, &features.maximum};
  bool any = false;
  for (std::size_t k = 0; k < per_feature.size(); ++k) {
    const auto found = reference.numbers.find(per_feature[k]);
    if (found == reference.numbers.end()) continue;
    *targets[k] = found->second.values;
    any = true;
  }
  if (any) model.reference = std::move(features);
}

std::vector<std::string> read_names(const std::string& source) {
  const auto colon = source.rfind(":/");
  std::error_code error;
  std::vector<std::string> names;
  if (colon == std::string::npos || std::filesystem::exists(source, error)) {
    names = base::read_name_list(source);
  } else {
    const std::string path = source.substr(0, colon);
    const h5::Handle file = h5::open_file(path);
    try {
      const h5::Handle dataset = h5::open_dataset(file, source.substr(colon + 1));
      h5::check_stored(dataset, base::narrow<u64>(std::filesystem::file_size(path)));
      names = h5::read_strings(dataset, u64{1} << 22);
    } catch (const Error& e) {
      throw e.in(source);
    }
  }
  if (names.empty()) throw Error(ExitCode::data, source + ": holds no names");
  for (const auto& name : names)
    if (name.empty() || !is_utf8(name))
      throw Error(ExitCode::data, source + ": the name " + shown(name) + " is empty or not UTF-8");
  return names;
}

}  // namespace h5score::format

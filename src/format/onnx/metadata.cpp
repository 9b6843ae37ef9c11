// Metadata: JSON texts under keys of ours.
#include "metadata.hpp"

#include "h5score/base/error.hpp"

#include "../classify.hpp"
#include "../json.hpp"
#include "../printable.hpp"

#include <functional>
#include <map>
#include <string>

namespace h5score::format::onnx {
namespace {

using base::Error;
using base::ExitCode;
using base::i64;
using base::u64;

[[noreturn]] void refuse(const std::string& problem, const std::string& why = {}) {
  throw Error(ExitCode::data, problem, why);
}

std::vector<std::string> words(const Json& json) {
  return json.get<std::vector<std::string>>();
}

model::ClassLabels labels_of(const Json& json) {
  if (!json.is_array() || json.empty()) refuse("a list of classes is needed");
  bool whole = true;
  for (const Json& label : json) whole = whole && label.is_number_integer();
  if (whole) return json.get<std::vector<i64>>();
  if (json[0].is_number()) return json.get<std::vector<double>>();
  return words(json);
}

model::Matrix matrix_of(const Json& json) {
  model::Matrix matrix;
  matrix.rows = json.size();
  for (const Json& row : json) {
    const auto values = row.is_array() ? row.get<std::vector<double>>() : std::vector<double>{row.get<double>()};
    if (matrix.cols != 0 && values.size() != matrix.cols) refuse("its rows differ in length");
    matrix.cols = values.size();
    matrix.values.insert(matrix.values.end(), values.begin(), values.end());
  }
  return matrix;
}

std::vector<double> list(const Json& json, const char* key) {
  return json.contains(key) ? json.at(key).get<std::vector<double>>() : std::vector<double>{};
}

// Golden outputs are those of the network: predictions until a head renames them.
void set_golden(model::Model& model, const Json& json) {
  model::GoldenRows golden;
  golden.rows = matrix_of(json.at("rows"));
  golden.prediction = matrix_of(json.at("output"));
  if (golden.rows.rows > 256) refuse("more than 256 rows");
  model.golden = std::move(golden);
}

void set_reference(model::Model& model, const Json& json) {
  model.reference = model::FeatureReference{.mean = list(json, "mean"),
                                            .stddev = list(json, "stddev"),
                                            .minimum = list(json, "minimum"),
                                            .maximum = list(json, "maximum")};
}

class Properties {
 public:
  explicit Properties(const pb::ModelProto& proto) {
    for (const auto& entry : proto.metadata_props())
      if (entry.key().starts_with("h5score.")) texts_[entry.key()] = entry.value();
  }

  [[nodiscard]] bool has(const std::string& key) const { return texts_.contains(key); }
  [[nodiscard]] std::string text(const std::string& key) const { return has(key) ? texts_.at(key) : std::string(); }
  void read(const std::string& key, const std::function<void(const Json&)>& use) const {
    if (!has(key)) return;
    try {
      use(parse_json(texts_.at(key)));
    } catch (const Json::exception&) {
      refuse("metadata " + shown(key) + " cannot be read", "it is not the JSON text that this key holds");
    } catch (const Error& e) {
      throw e.in("metadata " + shown(key));
    }
  }

 private:
  std::map<std::string, std::string> texts_;
};

void set_head(const Properties& properties, model::Model& model) {
  const std::string output = properties.text("h5score.output");
  if (!output.empty() && output != "values" && output != "logits" && output != "probabilities")
    refuse("metadata 'h5score.output' is " + shown(output), "known: values, logits, probabilities");
  const bool labelled = model.head.kind != model::HeadKind::values;
  properties.read("h5score.classes", [&](const Json& json) { set_classes(model, labels_of(json)); });
  if (properties.has("h5score.classes") || labelled) {
    const bool identity = model.head.link == model::Link::identity;
    if (!labelled && ((output == "probabilities" && !identity) || (output == "logits" && identity)))
      refuse("metadata 'h5score.output' says " + output,
             std::string("the network ") + (identity ? "ends" : "does not end") + " in a softmax or sigmoid");
    return;
  }
  if (output != "values" && model.head.target_names.empty()) default_head(model);
}

}  // namespace

void apply_metadata(const pb::ModelProto& proto, model::Model& model) {
  const Properties properties(proto);
  properties.read("h5score.feature_names", [&](const Json& json) { model.feature_names = words(json); });
  properties.read("h5score.golden", [&](const Json& json) { set_golden(model, json); });
  properties.read("h5score.reference", [&](const Json& json) { set_reference(model, json); });
  set_head(properties, model);
  properties.read("h5score.targets", [&](const Json& json) { model.head.target_names = words(json); });
}

}  // namespace h5score::format::onnx

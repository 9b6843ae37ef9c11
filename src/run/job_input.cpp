// Single rows of the input, for messages and dry runs.
#include "job_input.hpp"

#include "h5score/base/error.hpp"
#include "h5score/storage/decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace h5score::run {

const storage::FileRecord& file_of(const storage::Input& input, u64 row) {
  const auto& files = input.files();
  const auto found = std::find_if(files.begin(), files.end(), [row](const storage::FileRecord& f) {
    return row >= f.first_row && row - f.first_row < f.rows;
  });
  if (found == files.end()) throw base::Error(base::ExitCode::internal, fmt::format("row {} lies in no input", row));
  return *found;
}

namespace {

template <class T>
std::vector<double> features_of(const storage::DecodedBlock& block, u64 binding) {
  std::vector<T> values(block.rows() * block.features(binding));
  block.fill_tile(binding, 0, block.rows(), values.data(), block.features(binding));
  return {values.begin(), values.end()};
}

// True for a value that one of the model's stages takes as missing.
bool is_marked(const model::Model& model, model::Precision precision, double value) {
  return std::any_of(model.stages.begin(), model.stages.end(), [&](const model::Stage& stage) {
    const auto* mark = std::get_if<model::MarkMissing>(&stage);
    if (mark == nullptr) return false;
    return precision == model::Precision::float32 ? static_cast<float>(value) == static_cast<float>(mark->value)
                                                  : value == mark->value;
  });
}

}  // namespace

std::vector<double> read_rows(storage::Input& input, u64 binding, model::Precision precision, base::RowRange rows) {
  base::AlignedBuffer payload;
  input.fetch(rows, payload);
  const storage::Decoder decoder(input.format());
  storage::DecodedBlock block;
  decoder.open(payload.view(), block);
  return precision == model::Precision::float32 ? features_of<float>(block, binding)
                                                : features_of<double>(block, binding);
}

std::string InputMissingFinder::missing_feature(u64 row) const {
  for (u64 m = 0; m < job_.setup.models.size(); ++m) {
    const auto& job_model = job_.setup.models[m];
    const auto& evaluator = *backend_.evaluators[m];
    const auto values = read_rows(*job_.input, job_model.binding, evaluator.precision(), {row, row + 1});
    for (u64 i = 0; i < values.size(); ++i) {
      if (!evaluator.missing_matters()[i]) continue;
      if (!std::isnan(values[i]) && !is_marked(job_model.model, evaluator.precision(), values[i])) continue;
      const auto& bound = job_.bound[m];
      const std::string name = bound.names.empty() ? std::to_string(i) : bound.names[i];
      return fmt::format("feature {} of {}, from {}", name, job_model.path,
                         source_text(job_.input->table(), bound.binding.features[i]));
    }
  }
  return {};
}

void InputMissingFinder::report(u64 row) const {
  const auto& file = file_of(*job_.input, row);
  throw PlacedError(base::ExitCode::data,
                    fmt::format("{}: {}: row {}: a value is missing", file.path, file.dataset,
                                row - file.first_row + file.dataset_row),
                    missing_feature(row), "score it with --missing mark or fill, or give the model an imputer");
}

}  // namespace h5score::run

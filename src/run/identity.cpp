// Identity of a run as JSON.
#include "identity.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/base/version.hpp"
#include "h5score/storage/posix_file.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace h5score::run {
namespace {

using nlohmann::json;

constexpr u64 sample_bytes = 4096;
constexpr u64 samples = 16;

// CRC of up to 16 pages spread over the file, first and last included: a replaced file is noticed without reading it
// all.
std::string sampled_crc(const storage::FileRecord& file) {
  const storage::PosixFile in(storage::PosixCalls::system(), file.path, O_RDONLY);
  std::vector<std::byte> page(sample_bytes);
  base::u32 crc = 0;
  const u64 last = file.size > sample_bytes ? file.size - sample_bytes : 0;
  for (u64 i = 0; i < samples; ++i) {
    const u64 offset = last / (samples - 1) * i + (i == samples - 1 ? last % (samples - 1) : 0);
    const auto part = std::span(page).first(std::min(sample_bytes, file.size - offset));
    in.read(part, offset);
    crc = base::crc32(part, crc);
  }
  return fmt::format("{:08x}", crc);
}

json models_json(const PreparedJob& job, const Backend& backend) {
  json list = json::array();
  for (u64 i = 0; i < job.setup.models.size(); ++i) {
    const auto& m = job.setup.models[i];
    list.push_back(
        {{"name", m.name}, {"hash", m.hash}, {"precision", model::to_string(backend.evaluators[i]->precision())}});
  }
  return list;
}

json inputs_json(const PreparedJob& job, const storage::ScoreFileSpec& spec) {
  json list = json::array();
  const auto& files = job.input->files();
  for (u64 i = 0; i < files.size(); ++i)
    list.push_back({{"path", spec.inputs[i].path},
                    {"dataset", files[i].dataset},
                    {"size", files[i].size},
                    {"first_row", files[i].dataset_row},
                    {"rows", files[i].rows},
                    {"names_crc", fmt::format("{:08x}", files[i].names_crc)},
                    {"sampled_crc", sampled_crc(files[i])}});
  return list;
}

// Neighbouring columns as one range, as --features writes them; constants with all digits.
json features_json(const storage::Binding& binding) {
  constexpr u64 none = storage::FeatureSource::none;
  json list = json::array();
  const auto& features = binding.features;
  for (u64 i = 0; i < features.size();) {
    const auto& source = features[i];
    if (source.column == none || source.minus != none) {
      list.push_back(source.column == none ? fmt::format("= {}", source.constant)
                                           : fmt::format("{} - {}", source.column, source.minus));
      ++i;
      continue;
    }
    u64 end = i + 1;
    while (end < features.size() && features[end] == storage::FeatureSource{.column = source.column + end - i}) ++end;
    list.push_back(fmt::format("{}:{}", source.column, source.column + end - i));
    i = end;
  }
  return list;
}

json all_features_json(const PreparedJob& job) {
  json list = json::array();
  for (const auto& bound : job.bound) list.push_back(features_json(bound.binding));
  return list;
}

const char* text_of(MissingPolicy policy) {
  switch (policy) {
    case MissingPolicy::mark:
      return "mark";
    case MissingPolicy::error:
      return "error";
    case MissingPolicy::fill:
      return "fill";
  }
  return "?";
}

json missing_values_json(const PreparedJob& job) {
  json list = json::array();  // of text: JSON has no infinity
  for (const double value : job.setup.format.treatment.missing) list.push_back(fmt::format("{}", value));
  return list;
}

json fills_json(const ScoreOptions& options) {
  json fills = json::object();
  for (const auto& fill : options.fills) fills[fill.name] = fill.value;
  return fills;
}

json columns_json(const storage::ScoreFileSpec& spec) {
  json list = json::array();
  for (const auto& column : spec.columns)
    list.push_back({{"path", column.path}, {"type", base::to_string(column.type)}, {"row_shape", column.row_shape}});
  return list;
}

}  // namespace

std::string identity_json(const PreparedJob& job, const Backend& backend, const storage::ScoreFileSpec& spec,
                          const ScoreOptions& options) {
  const json identity = {{"version", base::version()},
                         {"models", models_json(job, backend)},
                         {"inputs", inputs_json(job, spec)},
                         {"features", all_features_json(job)},
                         {"feature_names", options.feature_names},
                         {"types", job.setup.format.types()},
                         {"packing", job.input->table().meanings},
                         {"missing", text_of(options.missing)},
                         {"missing_values", missing_values_json(job)},
                         {"fills", fills_json(options)},
                         {"outputs", columns_json(spec)},
                         {"numeric_backend", backend.name}};
  // Paths may hold bytes that are not UTF-8; JSON cannot.
  return identity.dump(1, ' ', false, json::error_handler_t::replace);
}

}  // namespace h5score::run

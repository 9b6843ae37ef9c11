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
    list.push_back({{"name", m.name},
                    {"hash", model::model_hash(m.model)},
                    {"precision", model::to_string(backend.evaluators[i]->precision())}});
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
                    {"sampled_crc", sampled_crc(files[i])}});
  return list;
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
  json features = json::array();
  for (const auto& run : job.setup.format.columns) features.push_back({run.begin, run.count});
  const json identity = {
      {"version", base::version()},        {"models", models_json(job, backend)},
      {"inputs", inputs_json(job, spec)},  {"features", features},
      {"types", job.setup.format.types()}, {"missing", options.missing == MissingPolicy::error ? "error" : "mark"},
      {"outputs", columns_json(spec)},     {"numeric_backend", backend.name}};
  // Paths may hold bytes that are not UTF-8; JSON cannot.
  return identity.dump(1, ' ', false, json::error_handler_t::replace);
}

}  // namespace h5score::run

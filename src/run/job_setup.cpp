// Loading models, opening the input, checking that they fit, planning blocks.
#include "job_setup.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/format/format.hpp"
#include "h5score/storage/name_node.hpp"
#include "h5score/storage/score_description.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;

JobModel load(h5::Sandbox& name_node, const ModelArgument& argument) {
  const auto bytes = name_node.call("load_model", base::to_bytes(argument.path), argument.path);
  return {argument.name, argument.path, base::from_bytes<model::Model>(bytes)};
}

void require_fit(const JobModel& m, const storage::Input& input) {
  const auto& format = input.format();
  if (m.model.n_features == format.features) return;
  const std::string where = input.files().empty() ? "" : input.files().front().dataset;
  const std::string selected =
      format.features == format.stored_features ? "" : fmt::format(" of {} stored", format.stored_features);
  const std::string advice = format.stored_features > m.model.n_features ? "choose the model's columns by --features"
                                                                         : "give another dataset or another model";
  throw Error(ExitCode::data, fmt::format("{}: the model expects {} features", m.path, m.model.n_features),
              fmt::format("{} gives {} per row{}", where, format.features, selected), advice);
}

}  // namespace

std::map<std::string, h5::Sandbox::Function> name_node_functions() {
  auto functions = storage::storage_functions();
  functions["load_model"] = [](base::ByteView request) {
    return base::to_bytes(format::load_model(base::from_bytes<std::string>(request)));
  };
  functions["read_scores"] = storage::read_scores_handler;
  return functions;
}

PreparedJob prepare_job(h5::Sandbox& name_node, const ScoreOptions& options) {
  PreparedJob job;
  for (const auto& argument : options.models) job.setup.models.push_back(load(name_node, argument));
  job.input = std::make_unique<storage::Input>(
      name_node,
      storage::InputOptions{options.inputs, options.dataset, options.features, options.rows, options.passthrough});
  for (auto& m : job.setup.models) {
    format::widen(m.model, job.input->format().features);  // LIBSVM files do not say how wide their model is
    require_fit(m, *job.input);
  }
  job.setup.format = job.input->format();
  return job;
}

sched::BlockPlan plan_blocks(const storage::Input& input, double flops_per_row, u64 result_row_bytes,
                             const ScoreOptions& options) {
  std::vector<sched::PlanSpan> spans;
  for (const auto& span : input.spans())
    spans.push_back({.rows = span.rows,
                     .chunk_rows = span.chunk_rows,
                     .phase = span.phase,
                     .payload_bytes_per_row = span.payload_bytes_per_row,
                     .decoded_bytes_per_row = span.decoded_bytes_per_row});
  sched::PlanLimits limits;
  limits.flops_per_row = flops_per_row;
  limits.result_bytes_per_row = static_cast<double>(result_row_bytes);
  limits.block_rows = options.block_rows;
  // A rank holds a few payloads, one decoded block and results at a time.
  limits.max_bytes = std::min(limits.max_bytes, static_cast<double>(options.memory_per_rank) / 8);
  return sched::make_plan(spans, limits);
}

}  // namespace h5score::run

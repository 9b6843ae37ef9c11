// Loading models, opening the input, checking that they fit, planning blocks.
#include "job_setup.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/format/format.hpp"
#include "h5score/storage/name_node.hpp"
#include "h5score/storage/score_description.hpp"
#include "h5score/storage/score_view.hpp"
#include "h5score/storage/stored_rows.hpp"

#include "missing_values.hpp"

#include <algorithm>

namespace h5score::run {
namespace {

JobModel load(h5::Sandbox& name_node, const ModelArgument& argument) {
  const auto bytes = name_node.call("load_model", base::to_bytes(argument.path), argument.path);
  return {.name = argument.name,
          .path = argument.path,
          .model = base::from_bytes<model::Model>(bytes),
          .hash = {},
          .binding = 0};
}

// Models that are bound alike share a binding, so that their rows are made once.
std::vector<storage::Binding> shared_bindings(PreparedJob& job) {
  std::vector<storage::Binding> bindings;
  for (u64 m = 0; m < job.bound.size(); ++m) {
    const auto& binding = job.bound[m].binding;
    const auto same = std::find(bindings.begin(), bindings.end(), binding);
    job.setup.models[m].binding = static_cast<u64>(same - bindings.begin());
    if (same == bindings.end()) bindings.push_back(binding);
  }
  return bindings;
}

void bind(PreparedJob& job, const ScoreOptions& options) {
  const auto& table = job.input->table();
  const FeatureBinder binder(table, job.input->files().front().path, options.features, options.missing_features);
  for (auto& m : job.setup.models) {
    // LIBSVM files do not say how wide their model is, and have no names.
    if (m.model.feature_names.empty()) format::widen(m.model, binder.width());
    m.hash = model::model_hash(m.model);
    job.bound.push_back(binder.bind(m.model, m.path));
  }
  std::vector<ModelToFill> models;
  for (u64 m = 0; m < job.bound.size(); ++m)
    models.push_back({job.setup.models[m].model, job.bound[m], job.setup.models[m].path});
  auto treatment = treat_missing(binder, table, models, options);
  job.notes = treatment_notes(table, treatment);
  job.input->bind(shared_bindings(job), std::move(treatment));
}

}  // namespace

std::map<std::string, h5::Sandbox::Function> name_node_functions() {
  auto functions = storage::storage_functions();
  functions["load_model"] = [](base::ByteView request) {
    return base::to_bytes(format::load_model(base::from_bytes<std::string>(request)));
  };
  functions["read_scores"] = storage::read_scores_handler;
  functions.merge(storage::view_functions());
  functions.merge(storage::stored_rows_functions());
  return functions;
}

PreparedJob prepare_job(h5::Sandbox& name_node, const ScoreOptions& options) {
  PreparedJob job;
  for (const auto& argument : options.models) job.setup.models.push_back(load(name_node, argument));
  job.input = std::make_unique<storage::Input>(
      name_node,
      storage::InputOptions{options.inputs, options.dataset, options.rows, options.passthrough, options.feature_names});
  bind(job, options);
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
                     .decoded_bytes_per_row = span.decoded_bytes_per_row,
                     .offsets = span.offsets,
                     .payload_bytes_per_element = span.payload_bytes_per_element,
                     .decoded_bytes_per_element = span.decoded_bytes_per_element,
                     .chunk_elements = span.chunk_elements});
  sched::PlanLimits limits;
  limits.flops_per_row = flops_per_row;
  limits.result_bytes_per_row = static_cast<double>(result_row_bytes);
  limits.block_rows = options.block_rows;
  // A rank holds a few payloads, one decoded block and results at a time.
  limits.max_bytes = std::min(limits.max_bytes, static_cast<double>(options.memory_per_rank) / 8);
  return sched::make_plan(spans, limits);
}

u64 lane_bytes(const storage::Input& input, const sched::BlockPlan& plan, const ResultLayout& layout, IoMode mode) {
  constexpr double piece_bytes = 1024.0 * 1024;
  double most_piece = piece_bytes;
  bool pieces = mode == IoMode::direct;
  for (const auto& span : input.spans()) {
    pieces = pieces && span.offsets.empty();
    const double of_row = span.decoded_bytes_per_row + span.payload_bytes_per_row;
    most_piece = std::max(most_piece, static_cast<double>(std::max<u64>(span.chunk_rows, 1)) * of_row);
  }
  u64 most = 0;
  for (u64 b = 0; b < plan.blocks(); ++b) {
    const auto rows = plan.range(b);
    u64 held = input.payload_bound(rows) + input.decoded_bytes(rows);
    if (pieces) held = std::min(held, static_cast<u64>(most_piece));
    most = std::max(most, held + rows.size() * layout.row_bytes);
  }
  return most;
}

}  // namespace h5score::run

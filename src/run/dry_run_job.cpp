// What a run would do, from really scored rows.
#include "dry_run_job.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/storage/score_file.hpp"

#include "dry_run_features.hpp"
#include "job_input.hpp"
#include "job_lanes.hpp"
#include "job_output.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstring>

namespace h5score::run {
namespace {

constexpr u64 sample_size = 5;

std::vector<DryRunFeature> binding_of(const BoundModel& bound, const storage::SourceTable& table,
                                      const std::vector<double>& rows) {
  std::vector<DryRunFeature> binding;
  for (u64 i = 0; i < bound.binding.features.size(); ++i)
    binding.push_back({.feature = bound.names.empty() ? std::to_string(i) : bound.names[i],
                       .source = source_text(table, bound.binding.features[i]),
                       .type = type_text(table, bound.binding.features[i]),
                       .first_value = rows.empty() ? 0 : rows[i]});
  return binding;
}

// "2,957 of 5,017 matched" is said also where it is all of them.
std::string matching_text(const BindingReport& report) {
  return fmt::format("{} of {} matched: {}", format_count(report.matched), format_count(report.features),
                     report.summary);
}

double value_at(const std::byte* place, const base::ElementType& type) {
  const auto as = [place](auto value) {
    std::memcpy(&value, place, sizeof value);
    return static_cast<double>(value);
  };
  if (type.kind == base::ElementKind::floating) return type.size == 4 ? as(float{}) : as(double{});
  return type.size == 4 ? as(std::int32_t{}) : as(base::u8{});
}

std::vector<std::string> value_names(const ResultSlot& slot, const model::Head& head) {
  const u64 classes = head.kind == model::HeadKind::values ? 0 : model::class_count(head.classes);
  std::vector<std::string> names;
  const bool per_class = slot.kind == model::ResultKind::label || slot.kind == model::ResultKind::probability;
  if (per_class)
    for (u64 c = 0; c < classes; ++c) names.push_back(model::class_name(head.classes, c));
  if (slot.kind == model::ResultKind::prediction) names = head.target_names;
  return names;
}

std::vector<DryRunColumn> sample_columns(u64 m, const JobModel& job_model, const Backend& backend,
                                         const ResultLayout& layout, const std::vector<double>& rows, u64 n) {
  const auto& evaluator = *backend.evaluators[m];
  const auto results = model::score_rows(evaluator, rows.data(), n);
  std::vector<DryRunColumn> columns;
  for (const auto& slot : layout.slots) {
    if (slot.model != m) continue;
    const auto& all = evaluator.columns();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.kind == slot.kind; });
    const auto& bytes = results[static_cast<std::size_t>(found - all.begin())];
    DryRunColumn column{
        .name = model::to_string(slot.kind),
        .width = slot.width,
        .values = {},
        .value_names = value_names(slot, job_model.model.head),
        .codes = slot.kind == model::ResultKind::label && job_model.model.head.kind != model::HeadKind::multilabel};
    for (u64 i = 0; i < n * slot.width; ++i)
      column.values.push_back(value_at(bytes.data() + i * slot.type.size, slot.type));
    columns.push_back(std::move(column));
  }
  return columns;
}

// "70000 x 28 x 28 uint8" of an array; of other tables their rows and columns.
std::string table_text(const storage::SourceTable& table, const storage::ArrayFormat& array, u64 rows) {
  const std::string columns = fmt::format("{} x {}", rows, table.columns);
  switch (table.kind) {
    case storage::TableKind::array:
      return array.row_shape.empty()
                 ? fmt::format("{} {}", rows, base::to_string(array.type))
                 : fmt::format("{} x {} {}", rows, fmt::join(array.row_shape, " x "), base::to_string(array.type));
    case storage::TableKind::columns:
      return columns + ", a dataset for each column";
    case storage::TableKind::compound:
      return columns + " fields of records";
    case storage::TableKind::sparse:
      return columns + ", a sparse matrix";
  }
  return columns;
}

std::vector<DryRunInput> inputs_of(const PreparedJob& job) {
  std::vector<DryRunInput> inputs;
  const auto& format = job.setup.format;
  for (const auto& file : job.input->files()) {
    const auto found = std::find_if(format.formats.begin(), format.formats.end(), [&](const storage::FileFormat& f) {
      return f.arrays.front().dataset == file.dataset;
    });
    const auto& array = (found == format.formats.end() ? format.formats.front() : *found).arrays.front();
    std::string description = table_text(job.input->table(), array, file.rows);
    const bool one_array = job.input->table().kind != storage::TableKind::columns;  // others differ in storage
    if (one_array && array.access == storage::Access::chunked)
      description += fmt::format(", chunks {}", fmt::join(array.chunk, " x "));
    if (one_array)
      for (const auto& filter : array.filters) description += ", " + filter.name;
    if (array.access == storage::Access::served) description += ", read by the name node";
    inputs.push_back({file.path, file.dataset, description, file.rows});
  }
  return inputs;
}

u64 free_bytes(const std::string& output) {
  struct statvfs status {};
  if (statvfs(storage::folder_of(output).c_str(), &status) != 0) return 0;
  return static_cast<u64>(status.f_bavail) * status.f_frsize;
}

void add_outputs(DryRun& dry, const storage::ScoreFileSpec& spec) {
  for (const auto& column : spec.columns) {
    std::string shape = std::to_string(spec.rows);
    for (const u64 extent : column.row_shape) shape += fmt::format(" x {}", extent);
    const u64 bytes = spec.rows * column.row_bytes();
    dry.datasets.push_back({column.path, shape, base::to_string(column.type), bytes});
    dry.output_bytes += bytes;
  }
}

// Bytes that the fullest rank is planned to hold: models, what its lanes hold of their blocks, with scatter also
// payloads and results on their way, and sums of features.
u64 planned_memory(const PreparedJob& job, const Backend& backend, const ResultLayout& layout,
                   const sched::BlockPlan& plan, u64 ranks, u64 threads, IoMode mode, u64 limit) {
  u64 bytes = 0;
  for (u64 i = 0; i < job.setup.models.size(); ++i)
    bytes += base::to_bytes(job.setup.models[i].model).size() +
             (backend.evaluators[i]->precision() == model::Precision::float32 ? 1 : 2) *
                 base::to_bytes(job.setup.models[i].model.stages).size() / 2;
  u64 payload = 0;
  u64 rows = 0;
  for (u64 b = 0; b < plan.blocks(); ++b) {
    payload = std::max(payload, job.input->payload_bound(plan.range(b)));
    rows = std::max(rows, plan.range(b).size());
  }
  u64 features = 0;
  for (const auto& evaluator : backend.evaluators) features += evaluator->features();
  const u64 lane = lane_bytes(*job.input, plan, layout, mode);
  const auto lanes =
      plan_lanes({.threads = threads, .ranks = ranks, .blocks = plan.blocks(), .lane_bytes = lane, .memory = limit});
  if (mode == IoMode::scatter) bytes += 2 * (payload + rows * layout.row_bytes);
  return bytes + lanes.size() * (lane + feature_bytes(features)) + BlockSums::most_bytes(features, rows, threads);
}

}  // namespace

DryRun make_dry_run(PreparedJob& job, const Backend& backend, const ResultLayout& layout, const sched::BlockPlan& plan,
                    const std::vector<std::string>& self_tests, u64 ranks, u64 threads, const IoChoice& io,
                    const ScoreOptions& options) {
  DryRun dry;
  dry.inputs = inputs_of(job);
  dry.notes = job.notes;
  dry.rows = plan.rows();
  const auto spans = job.input->spans();
  for (const auto& span : spans) dry.bytes_to_read += static_cast<u64>(span.payload_bytes());
  // Samples come from the first file that has rows.
  const u64 samples = spans.empty() ? 0 : std::min(sample_size, spans.front().rows);
  for (u64 i = 0; i < samples; ++i) dry.sample_rows.push_back(i);
  const auto look = look_at_features(job, plan);
  dry.feature_rows = look.rows;
  for (u64 m = 0; m < job.setup.models.size(); ++m) {
    const auto& jm = job.setup.models[m];
    std::vector<double> rows;
    if (samples > 0) rows = read_rows(*job.input, jm.binding, backend.evaluators[m]->precision(), {0, samples});
    const auto reference = model::training_reference(jm.model);
    dry.models.push_back({.name = jm.name,
                          .path = jm.path,
                          .description = model::describe(jm.model),
                          .self_test = self_tests[m],
                          .matching = matching_text(job.bound[m].report),
                          .notes = job.bound[m].report.notes,
                          .binding = binding_of(job.bound[m], job.input->table(), rows),
                          .columns = sample_columns(m, jm, backend, layout, rows, samples),
                          .features = report_features(look.sums[m], job.bound[m].names, reference)});
  }
  dry.output = options.output;
  add_outputs(dry, describe_output(job, backend, layout, plan, options));
  dry.free_bytes = free_bytes(options.output);
  dry.blocks = plan.blocks();
  for (u64 b = 0; b < plan.blocks(); ++b) {
    const u64 size = plan.range(b).size();
    dry.least_block_rows = b == 0 ? size : std::min(dry.least_block_rows, size);
    dry.most_block_rows = std::max(dry.most_block_rows, size);
  }
  dry.ranks = ranks;
  dry.threads = threads;
  dry.schedule = to_string(options.schedule);
  dry.io = to_string(io.mode);
  dry.io_reason = io.reason;
  std::vector<std::string> precisions;
  for (const auto& e : backend.evaluators) {
    const std::string name = model::to_string(e->precision());
    if (std::find(precisions.begin(), precisions.end(), name) == precisions.end()) precisions.push_back(name);
  }
  dry.precision = fmt::format("{}", fmt::join(precisions, ", "));
  dry.memory_per_rank = planned_memory(job, backend, layout, plan, ranks, threads, io.mode, options.memory_per_rank);
  dry.memory_limit = options.memory_per_rank;
  return dry;
}

}  // namespace h5score::run

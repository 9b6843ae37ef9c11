// Datasets of the score file, and the sink.
#include "job_output.hpp"

#include "h5score/base/version.hpp"

#include "identity.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace h5score::run {
namespace {

using storage::LabelTable;
using storage::ScoreColumn;

std::string group_of(const std::string& model_name) {
  return model_name.empty() ? "/" : "/" + model_name + "/";
}

// What lies along axis 1 of a result: classes, targets, or the pairs of a one-vs-one SVM.
std::string dimension_of(const ResultSlot& slot, const JobModel& m) {
  if (!slot.matrix) return "";
  const std::string group = group_of(m.name);
  if (slot.kind == model::ResultKind::prediction) return m.model.head.target_names.empty() ? "" : group + "targets";
  const bool per_class = slot.width == model::class_count(m.model.head.classes);
  const bool pairs = slot.kind == model::ResultKind::decision && m.model.head.kind == model::HeadKind::one_vs_one &&
                     !m.model.head.decision_ovr;
  return group + (per_class && !pairs ? "classes" : "pair");
}

ScoreColumn model_column(const ResultSlot& slot, const JobModel& m) {
  const std::string path = group_of(m.name) + model::to_string(slot.kind);
  ScoreColumn column{.path = path, .type = slot.type, .row_shape = {}, .dimension = {}, .attributes = {}};
  if (slot.kind == model::ResultKind::status) column = storage::status_column(path);
  if (slot.kind == model::ResultKind::label) column = storage::label_column(path, group_of(m.name) + "classes");
  if (slot.matrix) {
    column.row_shape = {slot.width};
    column.dimension = dimension_of(slot, m);
  }
  return column;
}

// A passthrough column keeps its own name, without the groups it lay in.
ScoreColumn passthrough_column(const storage::PassthroughColumn& source) {
  const std::string name = source.name.substr(source.name.find_last_of('/') + 1);
  return {.path = "/" + name, .type = source.type, .row_shape = source.row_shape, .dimension = {}, .attributes = {}};
}

std::vector<LabelTable> label_tables(const JobModel& m) {
  std::vector<LabelTable> tables;
  const auto& head = m.model.head;
  if (head.kind != model::HeadKind::values)
    tables.push_back(
        {group_of(m.name) + "classes",
         std::visit([](const auto& labels) { return decltype(LabelTable::labels)(labels); }, head.classes)});
  else if (!head.target_names.empty())
    tables.push_back({group_of(m.name) + "targets", head.target_names});
  return tables;
}

std::string job_id() {
  for (const char* variable : {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"})
    if (const char* value = std::getenv(variable)) return value;
  return {};
}

}  // namespace

storage::ScoreFileSpec describe_output(const PreparedJob& job, const Backend& backend, const ResultLayout& layout,
                                       const sched::BlockPlan& plan, const ScoreOptions& options) {
  storage::ScoreFileSpec spec;
  spec.rows = plan.rows();
  spec.boundaries = plan.boundaries;
  for (const auto& slot : layout.slots)
    spec.columns.push_back(slot.model == ResultSlot::no_model
                               ? passthrough_column(job.setup.format.passthrough[slot.passthrough])
                               : model_column(slot, job.setup.models[slot.model]));
  for (const auto& m : job.setup.models)
    for (auto& table : label_tables(m)) spec.tables.push_back(std::move(table));
  for (const auto& file : job.input->files())
    spec.inputs.push_back({.path = std::filesystem::absolute(file.path).lexically_normal().string(),
                           .dataset = file.dataset,
                           .first_row = file.first_row,
                           .rows = file.rows,
                           .size = file.size,
                           .mtime_ns = file.mtime_ns});
  spec.identity = identity_json(job, backend, spec, options);
  return spec;
}

storage::RunFacts run_facts(const comm::Communicator& comm, const ScoreOptions& options) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {.start_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count(),
          .end_ns = 0,
          .ranks = comm.size(),
          .pid = static_cast<u64>(getpid()),
          .blocks = 0,
          .host = comm.host(),
          .job = job_id(),
          .version = base::version(),
          .command = options.command_line};
}

void ScoreSink::write(u64 block, base::ByteView results, base::u32 crc, const Poll& poll) {
  count_flags(block, results);
  file_.write(block, results, crc, poll);
  bytes_ += results.size();
}

void ScoreSink::count_flags(u64 block, base::ByteView results) {
  const auto range = plan_.range(block);
  flags_.assign(range.size(), 0);
  for (u64 i = 0; i < layout_.slots.size(); ++i) {
    const auto& slot = layout_.slots[i];
    if (slot.model == ResultSlot::no_model || slot.kind != model::ResultKind::status) continue;
    const std::byte* const status = results.data() + layout_.offset(i, range.size());
    for (u64 row = 0; row < range.size(); ++row) flags_[row] |= static_cast<base::u8>(status[row]);
  }
  for (u64 row = 0; row < range.size(); ++row) {
    if (flags_[row] == 0) continue;
    if ((flags_[row] & model::status_missing) != 0 && missing_ != nullptr) missing_->report(range.begin + row);
    ++flagged_.any;
    flagged_.missing += (flags_[row] & model::status_missing) != 0 ? u64{1} : u64{0};
    flagged_.nonfinite += (flags_[row] & model::status_nonfinite) != 0 ? u64{1} : u64{0};
  }
}

}  // namespace h5score::run

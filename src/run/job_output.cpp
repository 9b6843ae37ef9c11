// Datasets of the score file, and the sink.
#include "job_output.hpp"

#include "h5score/base/hash.hpp"
#include "h5score/base/version.hpp"
#include "h5score/run/score_row.hpp"

#include "identity.hpp"
#include "job_record.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace h5score::run {
namespace {

using storage::LabelTable;
using storage::ScoreColumn;

constexpr u64 most_recorded_features = 100'000;  // the record of more could outgrow the scores

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

// A passthrough column keeps its own name, without the groups it lay in, and what its values mean.
ScoreColumn passthrough_column(const storage::PassthroughColumn& source) {
  const std::string name = source.name.substr(source.name.find_last_of('/') + 1);
  ScoreColumn column{
      .path = "/" + name, .type = source.type, .row_shape = source.row_shape, .dimension = {}, .attributes = {}};
  for (const auto& attribute : source.meaning)
    column.attributes.push_back(
        {attribute.name,
         std::visit([](const auto& value) { return decltype(storage::Attribute::value)(value); }, attribute.value)});
  return column;
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

// --feature-names /dataset; not a file of its own, nor /FILE.h5:/dataset.
bool names_in_inputs(const std::string& feature_names) {
  std::error_code ignored;
  return feature_names.starts_with('/') && feature_names.find(":/") == std::string::npos &&
         !std::filesystem::is_regular_file(feature_names, ignored);
}

// Names that come from elsewhere than each input are the same for all inputs: there the numbers of columns are enough.
FeatureRecord record_features(const PreparedJob& job, const std::string& feature_names) {
  const auto& table = job.input->table();
  const bool in_inputs = names_in_inputs(feature_names);
  const bool own_names = feature_names.empty() || in_inputs;
  FeatureRecord record{.dataset = table.dataset,
                       .feature_names = in_inputs ? feature_names : std::string(),
                       .columns = own_names ? table.names : std::vector<std::string>(),
                       .dataset_rows = {},
                       .treatment = job.setup.format.treatment,
                       .models = {}};
  for (const auto& file : job.input->files()) record.dataset_rows.push_back(file.dataset_row);
  for (std::size_t i = 0; i < job.bound.size(); ++i) {
    const auto& bound = job.bound[i];
    RecordedModel model{
        .name = job.setup.models[i].name, .features = bound.names, .sources = {}, .binding = bound.binding};
    for (const auto& source : bound.binding.features) model.sources.push_back(source_text(table, source));
    record.models.push_back(std::move(model));
  }
  return record;
}

// True if one of `names` is `path`, or a group above it, or below it.
bool taken(const std::vector<std::string>& names, const std::string& path) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == path || name.starts_with(path + '/') || path.starts_with(name + '/');
  });
}

}  // namespace

void require_free_names(const PreparedJob& job, const ResultLayout& layout) {
  std::vector<std::string> results;
  for (const auto& m : job.setup.models)
    for (const auto& table : label_tables(m)) results.push_back(table.path);
  for (const auto& slot : layout.slots)
    if (slot.model != ResultSlot::no_model) results.push_back(model_column(slot, job.setup.models[slot.model]).path);
  std::vector<std::string> others{"/inputs", "/h5score"};  // what every score file has, and other passthrough columns
  for (const auto& source : job.setup.format.passthrough) {
    const std::string path = passthrough_column(source).path;
    const std::string problem = "--passthrough " + source.name + ": the score file has another " + path;
    if (taken(others, path)) throw base::Error(base::ExitCode::usage, problem);
    if (taken(results, path))
      throw base::Error(base::ExitCode::usage, problem, "a result has this name",
                        "name the model, so that its results go to a group: --model NAME=" + job.setup.models[0].path);
    others.push_back(path);
  }
}

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
  spec.options = to_json(options, std::filesystem::current_path().string());
  u64 features = 0;
  for (const auto& bound : job.bound) features += bound.binding.features.size();
  if (features <= most_recorded_features) spec.features = to_json(record_features(job, options.feature_names));
  return spec;
}

storage::ViewSpec describe_view(const PreparedJob& job, const storage::ScoreFileSpec& spec,
                                const ScoreOptions& options) {
  storage::ViewSpec view{.path = options.view,
                         .scores = options.output,
                         .rows = spec.rows,
                         .kind = job.input->table().kind,
                         .files = job.input->files(),
                         .columns = spec.columns,
                         .tables = {}};
  for (const auto& table : spec.tables) view.tables.push_back(table.path);
  return view;
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
  const base::ByteView sums = results.last(statistics_.bytes(block));
  results = results.first(results.size() - sums.size());
  if (!tally_.add(block, flags_.count(results, plan_.range(block).size()), sums)) return;
  file_.write(block, results, sums.empty() ? crc : base::crc32(results), poll);
  tally_.add_written(results.size());
}

}  // namespace h5score::run

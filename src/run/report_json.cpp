// The JSON report, schema "h5score-report/1" (docs/report.md).
#include "h5score/base/error.hpp"
#include "h5score/base/pending_file.hpp"
#include "h5score/run/summary.hpp"

#include <nlohmann/json.hpp>

#include <span>

namespace h5score::run {
namespace {

using Json = nlohmann::ordered_json;

const char* text_of(MissingPolicy v) {
  return v == MissingPolicy::mark ? "mark" : v == MissingPolicy::fill ? "fill" : "error";
}
const char* text_of(PrecisionChoice v) {
  return v == PrecisionChoice::automatic ? "auto" : v == PrecisionChoice::float32 ? "float32" : "float64";
}

Json phases_json(const PhaseTimes& p) {
  return {{"fetch", p.fetch},       {"decode", p.decode}, {"score", p.score},
          {"transfer", p.transfer}, {"write", p.write},   {"idle", p.idle}};
}

Json rank_json(const RankReport& r) {
  return {{"rank", r.rank},
          {"host", r.host},
          {"seconds", phases_json(r.phases)},
          {"blocks", r.blocks},
          {"rows", r.rows},
          {"payload_bytes", r.payload_bytes},
          {"messages", r.messages},
          {"message_bytes", r.message_bytes},
          {"longest_progress_gap_seconds", r.longest_progress_gap},
          {"peak_memory_bytes", r.peak_memory_bytes},
          {"buffer_bytes", r.buffer_bytes}};
}

Json missing_features_json(const MissingFeatures& v) {
  if (v.policy == MissingFeatures::Policy::value) return v.value;
  return v.policy == MissingFeatures::Policy::mean ? "mean" : "error";
}

Json options_json(const ScoreOptions& o) {
  Json models = Json::array();
  for (const auto& model : o.models) models.push_back({{"name", model.name}, {"path", model.path}});
  Json fills = Json::object();
  for (const auto& fill : o.fills) fills[fill.name] = fill.value;
  return {{"model", models},
          {"input", o.inputs},
          {"dataset", o.dataset},
          {"output", o.output},
          {"compress", o.compress == 0 ? Json() : Json("gzip:" + std::to_string(o.compress))},
          {"write", o.write},
          {"features", o.features},
          {"feature_names", o.feature_names},
          {"missing_features", missing_features_json(o.missing_features)},
          {"rows", o.rows},
          {"passthrough", o.passthrough},
          {"missing", text_of(o.missing)},
          {"missing_value", o.missing_values},
          {"fill", fills},
          {"view", o.view},
          {"resume", o.resume},
          {"overwrite", o.overwrite},
          {"sync_interval_seconds", o.sync_interval},
          {"time_limit_seconds", o.time_limit.value_or(0)},
          {"file_locking", o.file_locking},
          {"schedule", to_string(o.schedule)},
          {"io", o.io},
          {"threads", o.threads},
          {"memory_per_rank_bytes", o.memory_per_rank},
          {"block_rows", o.block_rows},
          {"precision", text_of(o.precision)}};
}

Json spread_json(const RunReport& report) {
  Json spread = Json::object();
  for (const auto& phase : phase_spread(report))
    spread[phase.name] = {{"min", phase.least}, {"median", phase.median}, {"max", phase.most}, {"share", phase.share}};
  return spread;
}

Json number(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json features_json(const std::vector<FeatureReport>& features) {
  Json list = Json::array();
  for (const auto& f : features) {
    const auto finite = [&](double value) { return f.sum.n == 0 ? Json(nullptr) : Json(value); };
    list.push_back({{"name", f.name},
                    {"n", f.sum.n},
                    {"missing", f.sum.missing},
                    {"infinite", f.sum.infinite},
                    {"outside", f.sum.outside},
                    {"min", finite(f.sum.minimum)},
                    {"max", finite(f.sum.maximum)},
                    {"mean", finite(f.sum.mean)},
                    {"stddev", finite(f.sum.stddev())},
                    {"training_min", number(f.minimum)},
                    {"training_max", number(f.maximum)},
                    {"training_mean", number(f.mean)},
                    {"training_stddev", number(f.stddev)},
                    {"warning", f.warning}});
  }
  return list;
}

Json models_json(const RunReport& report) {
  Json models = Json::array();
  for (const auto& m : report.models)
    models.push_back({{"name", m.name},
                      {"path", m.path},
                      {"description", m.description},
                      {"hash", m.hash},
                      {"precision", m.precision},
                      {"self_test", m.self_test},
                      {"features", features_json(m.features)}});
  return models;
}

}  // namespace

std::string report_json(const RunReport& report, const ScoreOptions& options) {
  Json versions = Json::object();
  for (const auto& [name, version] : options.versions) versions[name] = version;
  Json ranks = Json::array();
  for (const auto& rank : report.ranks) ranks.push_back(rank_json(rank));
  const Json json = {{"schema", "h5score-report/1"},
                     {"status", report.stopped ? "stopped" : "done"},
                     {"started", report.started},
                     {"command", options.command_line},
                     {"rows", report.rows},
                     {"rows_total", report.rows_total == 0 ? report.rows : report.rows_total},
                     {"rows_flagged", report.rows_flagged},
                     {"rows_missing", report.rows_missing},
                     {"rows_nonfinite", report.rows_nonfinite},
                     {"feature_rows", report.feature_rows},
                     {"blocks", report.blocks},
                     {"resumed_blocks", report.resumed_blocks},
                     {"seconds", report.seconds},
                     {"loop_seconds", report.loop_seconds},
                     {"bytes_read", report.bytes_read},
                     {"bytes_written", report.bytes_written},
                     {"threads", report.threads},
                     {"isa", report.isa},
                     {"io", report.io},
                     {"io_reason", report.io_reason},
                     {"bounded_by", bounded_by(report)},
                     {"models", models_json(report)},
                     {"phases", spread_json(report)},
                     {"ranks", ranks},
                     {"options", options_json(options)},
                     {"versions", versions}};
  // Paths may hold bytes that are not UTF-8; JSON cannot.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

void write_report(const RunReport& report, const ScoreOptions& options) {
  const std::string text = report_json(report, options);
  try {
    base::write_file_atomically(options.report, std::as_bytes(std::span(text)));
  } catch (const base::Error& error) {
    throw base::Error(base::ExitCode::cant_create, "the report cannot be written", error.what(),
                      "the scores are not affected");
  }
}

}  // namespace h5score::run

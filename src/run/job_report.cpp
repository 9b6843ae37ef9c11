// What a job did, collected.
#include "job_report.hpp"

#include "h5score/base/narrow.hpp"
#include "h5score/run/text.hpp"

#include <cmath>
#include <ctime>

namespace h5score::run {
namespace {

std::vector<ModelReport> model_reports(const JobFacts& facts) {
  const auto sums = facts.tally.features();  // of all models' features, model after model, or none
  auto next = sums.begin();
  std::vector<ModelReport> reports;
  const auto& models = facts.job.setup.models;
  for (u64 i = 0; i < models.size(); ++i) {
    const auto& m = models[i];
    reports.push_back({m.name, m.path, model::describe(m.model), m.hash,
                       model::to_string(facts.backend.evaluators[i]->precision()), facts.tests[i]});
    if (sums.empty()) continue;
    const auto end = next + base::narrow<std::ptrdiff_t>(m.model.n_features);
    reports.back().features =
        report_features({next, end}, facts.job.bound[i].names, model::training_reference(m.model));
    next = end;
  }
  return reports;
}

}  // namespace

RunReport make_report(const JobFacts& facts) {
  RunReport report;
  report.ranks = facts.result.ranks;
  for (const auto& rank : report.ranks) {
    report.rows += rank.rows;
    report.blocks += rank.blocks;
  }
  report.rows_total = facts.plan.rows();
  report.threads = facts.threads;
  report.isa = model::to_string(facts.backend.evaluators.front()->isa());
  report.io = to_string(facts.io.mode);
  report.io_reason = facts.io.reason;
  report.models = model_reports(facts);
  for (const auto& m : report.models)
    if (!m.features.empty()) report.feature_rows = m.features.front().sum.rows();
  report.resumed_blocks = facts.plan.blocks() - facts.blocks_to_do;
  report.loop_seconds = facts.result.loop_seconds;
  report.seconds = facts.seconds;
  report.started = utc_text(std::time(nullptr) - std::llround(report.seconds));
  report.bytes_read = facts.bytes_read;
  report.bytes_written = facts.tally.bytes_written();
  report.rows_flagged = facts.tally.flagged().any;
  report.rows_missing = facts.tally.flagged().missing;
  report.rows_nonfinite = facts.tally.flagged().nonfinite;
  report.stopped = facts.result.stopped;
  return report;
}

}  // namespace h5score::run

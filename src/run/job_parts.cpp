// Steps that the jobs over rows share.
#include "job_parts.hpp"

namespace h5score::run {

using base::Error;
using base::ExitCode;

base::Bytes root_step(comm::Communicator& comm, const std::function<base::Bytes()>& step) {
  std::optional<Error> failure;
  base::Bytes payload;
  if (comm.root()) {
    try {
      payload = step();
    } catch (const Error& error) {
      failure = error;
    }
  }
  base::Bytes outcome;
  if (comm.root())
    outcome =
        send(failure ? static_cast<int>(failure->code()) : 0, failure ? std::string(failure->what()) : std::string());
  comm.broadcast(outcome);
  int code = 0;
  std::string message;
  receive(outcome, code, message);
  if (code != 0) throw SharedError(static_cast<ExitCode>(code), message);
  comm.broadcast(payload);
  return payload;
}

std::optional<model::Precision> forced_precision(PrecisionChoice choice) {
  if (choice == PrecisionChoice::float32) return model::Precision::float32;
  if (choice == PrecisionChoice::float64) return model::Precision::float64;
  return std::nullopt;
}

ResultLayout layout_of(const JobSetup& setup, const Backend& backend, const std::vector<std::string>& write) {
  std::vector<std::vector<model::ResultColumn>> columns;
  for (const auto& evaluator : backend.evaluators) columns.push_back(evaluator->columns());
  std::vector<PassthroughShape> passthrough;
  for (const auto& column : setup.format.passthrough)
    passthrough.push_back({column.type, column.row_bytes() / column.type.size, !column.row_shape.empty()});
  return make_result_layout(columns, write, passthrough);
}

FeatureStatistics statistics_of(const JobSetup& setup, const Backend& backend, const sched::BlockPlan& plan) {
  FeatureStatistics statistics;
  double flops = 0;
  for (u64 i = 0; i < setup.models.size(); ++i) {
    statistics.features.push_back(backend.evaluators[i]->features());
    statistics.ranges.push_back(model::feature_range(setup.models[i].model));
    flops += backend.evaluators[i]->flops_per_row();
  }
  statistics.sample = plan_feature_sample(plan, statistics.all_features(), flops);
  return statistics;
}

}  // namespace h5score::run

// Lines at the start of a run.
#include "start_text.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace h5score::run {
namespace {

void print_binding(const JobModel& m, const BindingReport& report) {
  if (!report.notable && report.notes.empty()) return;
  const std::string name = m.name.empty() ? "features" : m.name;
  fmt::print("{}: {}\n", name, report.summary);
  for (const auto& note : report.notes) fmt::print("{}: {}\n", name, note);
}

}  // namespace

void print_start(const PreparedJob& job, const std::vector<std::string>& tests, const ScoreOptions& options) {
  const auto& setup = job.setup;
  for (const auto& note : job.notes) fmt::print("input: {}\n", note);
  for (u64 i = 0; i < setup.models.size(); ++i) {
    const auto& m = setup.models[i];
    fmt::print("model {}{}: {}\n", m.name.empty() ? "" : m.name + " = ", m.path, model::describe(m.model));
    if (tests[i].empty())
      fmt::print("self-test: none, {} has no golden rows\n", m.path);
    else
      fmt::print("self-test: {}\n", tests[i]);
    print_binding(m, job.bound[i].report);
    const bool narrowed =
        options.precision == PrecisionChoice::float32 && m.model.precision == model::Precision::float64;
    if (narrowed) fmt::print("note: {} is a float64 model and runs in float32, as --precision asks\n", m.path);
    const bool narrow_input = options.precision != PrecisionChoice::float64 &&
                              (narrowed || m.model.precision == model::Precision::float32) &&
                              setup.format.narrows_to_float();
    if (narrow_input) fmt::print("note: {} input is rounded to float32 for {}\n", setup.format.types(), m.path);
  }
  std::fflush(stdout);
}

void print_io(const IoChoice& io, const ScoreOptions& options) {
  if (io.mode == IoMode::direct || options.io == "scatter") return;
  fmt::print("note: rank 0 reads and writes for all ranks: {}\n", io.reason);
  std::fflush(stdout);
}

}  // namespace h5score::run

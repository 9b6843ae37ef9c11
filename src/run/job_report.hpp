// The report of a job, made at the root when its loop has ended.
#pragma once

#include "h5score/run/report.hpp"

#include "backend.hpp"
#include "io_choice.hpp"
#include "job_setup.hpp"
#include "tally.hpp"

#include <string>
#include <vector>

namespace h5score::run {

/// What the report is made of.
struct JobFacts {
  const PreparedJob& job;
  const Backend& backend;
  const sched::BlockPlan& plan;
  const std::vector<std::string>& tests;  ///< self-tests, one text per model
  const Tally& tally;
  const EngineResult& result;
  u64 blocks_to_do = 0;  ///< when the loop began
  u64 threads = 1;
  const IoChoice& io;
  u64 bytes_read = 0;
  double seconds = 0;  ///< since the run began
};
RunReport make_report(const JobFacts& facts);

}  // namespace h5score::run

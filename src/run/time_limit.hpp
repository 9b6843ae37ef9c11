// When a run stops by itself: after --time-limit, or before the batch system ends its job. Private to run.
#pragma once

#include <optional>
#include <string>

namespace h5score::run {

struct TimeLimit {
  double seconds = 0;  ///< from now on; 0: never
  std::string reason;  ///< "--time-limit", or "the end of Slurm job 17"
};

/// `given`: --time-limit, which wins. Else the job's end as Slurm tells it (SLURM_JOB_END_TIME, since Slurm 23.02),
/// less two minutes, or less a tenth of what is left where that is shorter.
[[nodiscard]] TimeLimit time_limit(std::optional<double> given);

/// A line for the user; empty where the limit is the user's own.
[[nodiscard]] std::string time_limit_text(const TimeLimit& limit);

}  // namespace h5score::run

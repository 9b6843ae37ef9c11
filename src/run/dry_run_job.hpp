// Fills what `--dry-run` shows: the binding, five really scored rows, the output's size and the planned memory.
#pragma once

#include "h5score/run/dry_run.hpp"

#include "backend.hpp"
#include "io_choice.hpp"
#include "job_setup.hpp"
#include "result_layout.hpp"

#include <vector>

namespace h5score::run {

/// Root only. `self_tests`: one text per model.
DryRun make_dry_run(PreparedJob& job, const Backend& backend, const ResultLayout& layout, const sched::BlockPlan& plan,
                    const std::vector<std::string>& self_tests, u64 ranks, u64 threads, const IoChoice& io,
                    const ScoreOptions& options);

}  // namespace h5score::run

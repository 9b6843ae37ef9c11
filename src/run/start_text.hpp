// What a run says before it scores: models, self-tests, how features were bound, what is rounded.
#pragma once

#include "io_choice.hpp"
#include "job_setup.hpp"

#include <string>
#include <vector>

namespace h5score::run {

/// On standard output. `tests`: one text per model, empty where it has no golden rows.
void print_start(const PreparedJob& job, const std::vector<std::string>& tests, const ScoreOptions& options);

/// Why rank 0 reads and writes for all ranks, where that was left to us.
void print_io(const IoChoice& io, const ScoreOptions& options);

}  // namespace h5score::run

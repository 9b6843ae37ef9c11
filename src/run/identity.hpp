// The identity of a score file: everything that must be the same for a resumed run to go on with it.
#pragma once

#include "h5score/storage/score_file.hpp"

#include "backend.hpp"
#include "job_setup.hpp"

#include <string>

namespace h5score::run {

/// Identity as JSON text: program version, models by content hash, inputs by path, size, shape, names of columns and
/// sampled CRC,
/// bindings and treatment of missing values, outputs, numeric backend. Not the ranks, schedule, memory limits or
/// modification times. Reads samples of every input file; throws Error(io) naming the path where that fails.
std::string identity_json(const PreparedJob& job, const Backend& backend, const storage::ScoreFileSpec& spec,
                          const ScoreOptions& options);

}  // namespace h5score::run

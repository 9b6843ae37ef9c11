// What a score file records of the command that made it: with this `verify` scores again, and `inspect` tells how to go
// on.
#pragma once

#include "h5score/run/score_job.hpp"

#include <string>

namespace h5score::run {

/// JSON text: those options that decide which scores come out, the models by absolute path, the whole command line, and
/// the folder that it was given in. Not the inputs, which have a table of their own in the file.
std::string to_json(const ScoreOptions& options, const std::string& folder);

struct JobRecord {
  std::string folder;
  ScoreOptions options;  ///< without inputs and output; feature_names by absolute path where it names a file
};
/// Throws Error(data) where the text makes no sense.
JobRecord parse_job_record(const std::string& json);

}  // namespace h5score::run

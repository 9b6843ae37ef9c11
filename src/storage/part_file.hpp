// The names and locks of an output: OUT.part.tmp while metadata is written, OUT.part while results are, then OUT.
#pragma once

#include "h5score/storage/score_file.hpp"

#include <string>

namespace h5score::storage {

/// `host`: this run's, as it stands in the records of runs.

/// Makes OUT.part with metadata and reserved space, locked; see ScoreFile::create.
PosixFile create_part_file(PosixCalls& calls, const std::string& output, const ScoreFileSpec& spec,
                           const std::string& host, const ScoreFileOptions& options);

/// Opens and locks OUT.part, which must still be the file that `part` describes; see ScoreFile::resume.
PosixFile open_part_file(PosixCalls& calls, const std::string& output, const ScoreDescription& part,
                         const std::string& host, const ScoreFileOptions& options);

/// Renames OUT.part, or a copy of it, to OUT and makes that durable; see ScoreFile::finish.
void publish(PosixCalls& calls, PosixFile& file, const std::string& output, bool overwrite);

}  // namespace h5score::storage

// How to go on with a part file.
#pragma once

#include "h5score/storage/score_description.hpp"

#include <string>

namespace h5score::run {

struct ResumeCommand {
  std::string folder;   ///< to be given in; empty: not recorded
  std::string command;  ///< h5score score ... --resume
  bool cut = false;     ///< the record holds only its beginning
};

/// From what the file records of its first run, else of its last one. An --overwrite is kept where the final name is
/// taken, so that the command works as it is.
ResumeCommand resume_command(const storage::ScoreDescription& part);

}  // namespace h5score::run

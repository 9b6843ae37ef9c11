// May a run take an existing part file, or does another one still write it? The lock decides where it can; where locks
// do not reach (other hosts on some file systems, no locks at all), signs of life do.
#pragma once

#include "h5score/storage/posix_file.hpp"
#include "h5score/storage/score_description.hpp"

#include <optional>
#include <string>

namespace h5score::storage {

struct OtherRun {
  bool writes = false;    ///< leave the file alone
  bool unlocked = false;  ///< it may be taken over although its lock is held: its holder counts as dead
  std::string text;       ///< who, for people: "another run on host n1, process 7, ..."
};

/// `part`: nothing where it cannot be read. `host` is this run's own; a process of this host that gave up its lock has
/// ended, and where nothing can be locked it is looked for among the processes.
[[nodiscard]] OtherRun judge_other_run(const std::optional<ScoreDescription>& part, LockResult lock,
                                       const std::string& host);

}  // namespace h5score::storage

// Whether a run writes a score file at this moment, seen from outside and without disturbing it.
#pragma once

#include "h5score/storage/score_description.hpp"

#include <string>

namespace h5score::storage {

enum class WriterState : base::u8 {
  nobody,
  running,
  unknown,  ///< the file system has no locks, or the run was told not to take one
};

/// Asks for the lock that a run holds, without taking it; without locks, whether the last run's process lives on this
/// host.
WriterState writer_of(const ScoreDescription& scores);

}  // namespace h5score::storage

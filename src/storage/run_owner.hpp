// Whose part file it is: the run that began last. It shows signs of life in a record of its own, and an older run that
// wakes up again learns from these records that the file is not its own any more.
#pragma once

#include "h5score/storage/posix_file.hpp"
#include "h5score/storage/score_description.hpp"

#include "score_layout.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace h5score::storage {

/// Seconds between two signs of life, and without one until a run counts as dead.
inline constexpr int beat_seconds = 15;
inline constexpr int dead_after_seconds = 300;

/// Nanoseconds since 1970.
[[nodiscard]] i64 now_ns();

class RunOwner {
 public:
  /// The run that began at `start_ns` and has slot `slot`. Writes the first sign of life and starts the thread that
  /// writes the others. `file` must outlive it. `records` without size: a file of an older version, which has no place
  /// for them.
  RunOwner(PosixCalls& calls, const PosixFile& file, Extent records, u64 slot, i64 start_ns);
  ~RunOwner();
  RunOwner(const RunOwner&) = delete;
  RunOwner& operator=(const RunOwner&) = delete;

  /// Throws Error(cant_create) where another run has taken the file over, Error(io) where the file is not at its path
  /// any more or a sign of life could not be written. To be called before anything that only the owner may do.
  void check() const;
  /// The run has come to its end in order: no signs of life from here on, and none is missed. check() still works.
  void end();

 private:
  void stop();
  void write(i64 alive_ns) const;
  void check_records() const;
  void serve();

  const PosixFile& file_;
  PosixFile synced_;  ///< its own descriptor: each write is on disk, and other hosts see it
  Extent records_;
  u64 slot_;
  i64 start_ns_;
  mutable std::mutex mutex_;  ///< of the two below
  std::optional<base::Error> failure_;
  bool ending_ = false;
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace h5score::storage

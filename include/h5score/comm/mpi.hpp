// The owner of MPI: initialises it, gives the communicator of all ranks, and finalises it on the way out.
#pragma once

#include "h5score/comm/communicator.hpp"
#include "h5score/comm/launch.hpp"

#include <memory>

namespace h5score::comm {

/// One per process. Uses MPI_THREAD_FUNNELED: the thread that creates it makes all MPI calls.
/// The destructor never communicates: MPI_Finalize waits for every rank, and a rank that is unwinding from a failure
/// would wait for ever. So success calls finalize(), and failure ends in Communicator::abort().
class MpiEnvironment {
 public:
  /// Longest single MPI message; longer ones are split. Counts of MPI calls are `int`.
  static constexpr u64 default_piece = u64{1} << 30;

  /// Initialises MPI and checks `launch` (check_launch). Throws Error(internal) if MPI is already initialised,
  /// Error(usage) if the launcher and MPI disagree; MPI is finalised before the latter. `piece_bytes` is for tests.
  explicit MpiEnvironment(const Launch& launch = detect_launch(), u64 piece_bytes = default_piece);
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;
  ~MpiEnvironment();

  /// All ranks, in duplicates of MPI_COMM_WORLD that nobody else uses. Lives until finalize().
  [[nodiscard]] Communicator& world();
  /// Collective; all communication must be complete. The environment cannot be used afterwards.
  void finalize();

  /// "Open MPI v4.1.4, ..." of the library in use.
  static std::string library_version();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace h5score::comm

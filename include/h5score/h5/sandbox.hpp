// A child process that does what a damaged HDF5 file could turn against us: it is forked before MPI_Init, runs under
// CPU, memory and time limits, and answers requests. libhdf5 itself crashes or spins on some damaged files; here that
// ends the child, and the caller gets an Error that names the file. Free of <hdf5.h>.
#pragma once

#include "h5score/base/types.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace h5score::h5 {

class Sandbox {
 public:
  /// A request handler: runs in the child, as one step unless it calls step(), on archived bytes (base/archive.hpp).
  /// What it throws is rethrown in the parent.
  using Function = std::function<base::Bytes(base::ByteView)>;
  struct Limits {
    base::u64 memory_bytes = base::u64{8} << 30;  ///< address space of the child
    std::chrono::seconds reply_timeout{600};      ///< then the child is killed and the request fails
    std::chrono::seconds cpu_per_request{300};
    std::chrono::seconds cpu_per_step{8};  ///< see step()
  };

  /// For functions, in the child: a new step of the request begins, which gets cpu_per_step and one second for every
  /// 8 MiB of `bytes` that it may have to go through. A function whose file makes the library spin ends with the step.
  /// Does nothing in other processes.
  static void step(base::u64 bytes = 0);

  /// Forks the child. Must be called while the process has one thread, before MPI_Init and while no HDF5 file is open
  /// (the child would inherit the library's table of open files).
  /// The child exits when the parent does, however that dies.
  Sandbox(const std::map<std::string, Function>& functions, const Limits& limits);
  explicit Sandbox(const std::map<std::string, Function>& functions) : Sandbox(functions, Limits{}) {}
  Sandbox(Sandbox&&) noexcept;
  Sandbox& operator=(Sandbox&&) noexcept;
  ~Sandbox();

  /// Calls function `name` in the child. `subject` (a path) names the input in the error if the child dies:
  /// Error(data) `run7.h5: the file crashes or overloads the HDF5 library (signal 11); ...`. A child that died is not
  /// replaced: later calls throw too. `poll`, if given, is called at least every 0.25 ms while waiting (MPI progress).
  base::Bytes call(const std::string& name, base::ByteView request, const std::string& subject,
                   const std::function<void()>& poll = {});

  /// From now on `check` is called before each call and every 0.1 s while one waits; what it throws ends the call, and
  /// if that was under way also the child. An empty `check` ends this.
  void watch(std::function<void()> check);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace h5score::h5

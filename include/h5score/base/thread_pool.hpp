// A small pool of worker threads for loops inside one rank. The calling thread takes part and, between its items and
// while it waits for the others, calls `poll`, because only that thread may make MPI progress.
#pragma once

#include "h5score/base/types.hpp"

#include <functional>
#include <memory>

namespace h5score::base {

class ThreadPool {
 public:
  /// A pool in which `threads` threads work, the calling one included; 1 starts none. Worker threads take no signals,
  /// so that those of the process are handled by its main thread. Throws Error(usage) where the system refuses so many.
  explicit ThreadPool(u64 threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] u64 threads() const;

  /// Calls body(item, thread) for every item in [0, items), each once, thread in [0, threads()). Items are handed out
  /// in ascending order. Returns when all are done; rethrows the first exception after the threads have stopped (items
  /// not yet begun are then left out). Not reentrant.
  void run(u64 items, const std::function<void(u64 item, u64 thread)>& body, const std::function<void()>& poll);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Threads that a rank should use: the CPUs of its affinity mask divided by the ranks on this host that share the mask.
/// `ranks_on_host` ranks with a mask of all CPUs share them; a mask narrower than the host is taken as already divided.
[[nodiscard]] u64 default_threads(u64 ranks_on_host);

}  // namespace h5score::base

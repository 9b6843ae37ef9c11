// Worker threads that sleep between loops.
#include "h5score/base/thread_pool.hpp"

#include "h5score/base/blocked_signals.hpp"
#include "h5score/base/error.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace h5score::base {

class ThreadPool::Impl {
 public:
  explicit Impl(u64 threads) : threads_(std::max<u64>(threads, 1)) {
    const BlockedSignals blocked;
    try {
      for (u64 i = 1; i < threads_; ++i) workers_.emplace_back([this, i] { serve(i); });
    } catch (const std::system_error& error) {
      end();
      throw Error(ExitCode::usage, std::to_string(threads_) + " threads cannot be started",
                  "after " + std::to_string(workers_.size() + 1) + ": " + error.code().message(), "lower --threads");
    }
  }

  ~Impl() { end(); }

  u64 threads() const { return threads_; }

  void run(u64 items, const std::function<void(u64, u64)>& body, const std::function<void()>& poll) {
    {
      const std::lock_guard lock(mutex_);
      body_ = &body;
      items_ = items;
      next_ = 0;
      error_ = nullptr;
      busy_ = workers_.size();
      ++loop_;
    }
    wake_.notify_all();
    try {
      work(0, poll);
      wait_for_others(poll);
    } catch (...) {  // poll failed: the threads must leave `body` before it goes out of scope
      next_ = items_;
      std::unique_lock lock(mutex_);
      idle_.wait(lock, [this] { return busy_ == 0; });
      throw;
    }
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void end() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  void serve(u64 thread) {
    const std::function<void()> no_poll = [] {};
    u64 seen = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return ending_ || loop_ != seen; });
        if (ending_) return;
        seen = loop_;
      }
      work(thread, no_poll);
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) idle_.notify_all();
    }
  }

  void work(u64 thread, const std::function<void()>& poll) {
    for (u64 item = next_++; item < items_; item = next_++) {
      try {
        (*body_)(item, thread);
      } catch (...) {
        next_ = items_;
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
      poll();
    }
  }

  void wait_for_others(const std::function<void()>& poll) {
    std::unique_lock lock(mutex_);
    while (!idle_.wait_for(lock, std::chrono::microseconds(100), [this] { return busy_ == 0; })) {
      lock.unlock();
      poll();
      lock.lock();
    }
  }

  const u64 threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  const std::function<void(u64, u64)>* body_ = nullptr;
  u64 items_ = 0;
  std::atomic<u64> next_{0};
  u64 busy_ = 0;
  u64 loop_ = 0;
  bool ending_ = false;
  std::exception_ptr error_;
  std::vector<std::thread> workers_;
};

ThreadPool::ThreadPool(u64 threads) : impl_(std::make_unique<Impl>(threads)) {}
ThreadPool::~ThreadPool() = default;
u64 ThreadPool::threads() const {
  return impl_->threads();
}
void ThreadPool::run(u64 items, const std::function<void(u64, u64)>& body, const std::function<void()>& poll) {
  impl_->run(items, body, poll);
}

u64 default_threads(u64 ranks_on_host) {
  const long online = sysconf(_SC_NPROCESSORS_ONLN);
  const u64 host = online > 0 ? static_cast<u64>(online) : 1;
  cpu_set_t mask;
  CPU_ZERO(&mask);
  u64 mine = host;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) mine = static_cast<u64>(CPU_COUNT(&mask));
  if (mine >= host) mine = host / std::max<u64>(ranks_on_host, 1);
  return std::max<u64>(mine, 1);
}

}  // namespace h5score::base

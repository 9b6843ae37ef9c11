// Signs of life.
#include "run_owner.hpp"

#include "h5score/base/blocked_signals.hpp"
#include "h5score/base/error.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <system_error>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;

}  // namespace

i64 now_ns() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since_1970).count();
}

RunOwner::RunOwner(PosixCalls& calls, const PosixFile& file, Extent records, u64 slot, i64 start_ns)
    : file_(file), records_(records), slot_(slot), start_ns_(start_ns) {
  if (records_.size == 0) return;
  synced_ = PosixFile(calls, file.path(), O_RDWR | O_DSYNC);
  write(now_ns());
  const base::BlockedSignals blocked;
  try {
    thread_ = std::thread([this] { serve(); });
  } catch (const std::system_error& error) {
    throw Error(ExitCode::io, "a thread that shows signs of life cannot be started", error.code().message());
  }
}

RunOwner::~RunOwner() {
  stop();
}

void RunOwner::stop() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void RunOwner::end() {
  stop();
  if (records_.size != 0) write(0);
}

void RunOwner::write(i64 alive_ns) const {
  const layout::SignOfLife sign{.start_ns = start_ns_, .alive_ns = alive_ns};
  synced_.write(std::as_bytes(std::span(&sign, 1)), records_.offset + slot_ * sizeof sign);
}

void RunOwner::check() const {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) throw Error(*failure_);
  }
  if (!file_.is_at_path()) throw Error(ExitCode::io, file_.path() + ": was replaced or removed during the run");
  if (records_.size != 0) check_records();
}

void RunOwner::check_records() const {
  std::vector<layout::SignOfLife> records(layout::run_slots);
  file_.read(std::as_writable_bytes(std::span(records)), records_.offset);
  const auto last = std::max_element(records.begin(), records.end(),
                                     [](const auto& a, const auto& b) { return a.start_ns < b.start_ns; });
  if (last->start_ns == start_ns_ && records[slot_].start_ns == start_ns_) return;
  throw Error(
      ExitCode::cant_create, file_.path() + ": another run has taken over",
      "this one showed no sign of life for " + std::to_string(dead_after_seconds) + " s, or its host was cut off",
      "leave the output to the other run");
}

void RunOwner::serve() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::seconds(beat_seconds), [this] { return ending_; })) {
    lock.unlock();
    std::optional<Error> failure;
    try {
      check_records();
      write(now_ns());
    } catch (const Error& error) {
      failure = error;
    }
    lock.lock();
    failure_ = failure;
    if (failure_) return;  // thrown by the next check()
  }
}

}  // namespace h5score::storage

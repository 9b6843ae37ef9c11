// Threads of the lanes.
#include "engine_lanes.hpp"

#include "h5score/base/blocked_signals.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"

#include "clock.hpp"

#include <system_error>

namespace h5score::run {
Lanes::Lanes(Rank& rank, u64 count) : rank_(rank), others_(count - 1) {
  const base::BlockedSignals blocked;
  try {
    for (u64 i = 0; i < others_.size(); ++i)
      others_[i].thread = std::thread([this, i] { serve(*rank_.lanes[i + 1], others_[i]); });
  } catch (const std::system_error& error) {
    end();
    throw base::Error(base::ExitCode::usage, std::to_string(count) + " threads cannot be started",
                      error.code().message(), "lower --threads");
  }
}

Lanes::~Lanes() {
  end();
}

void Lanes::end() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    waiting_.clear();
  }
  wake_.notify_all();
  for (Lane& lane : others_)
    if (lane.thread.joinable()) lane.thread.join();
}

void Lanes::submit(const LaneTask& task) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(task);
    wake = asleep_ > 0;
  }
  ++in_hand_;
  if (wake) wake_.notify_one();
}

std::optional<LaneTask> Lanes::take() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  const LaneTask task = waiting_.front();
  waiting_.pop_front();
  return task;
}

bool Lanes::score_one() {
  auto task = take();
  if (!task) return false;
  task->crc = rank_.score(task->block, task->payload, task->results);
  const std::lock_guard lock(mutex_);
  finished_.push_back(*task);
  news_ = true;
  return true;
}

std::optional<LaneTask> Lanes::finished() {
  if (!news_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (error_) std::rethrow_exception(error_);
  if (finished_.empty()) {
    news_ = false;
    return std::nullopt;
  }
  const LaneTask task = finished_.front();
  finished_.pop_front();
  --in_hand_;
  return task;
}

std::deque<LaneTask> Lanes::withdraw() {
  std::deque<LaneTask> tasks;
  const std::lock_guard lock(mutex_);
  tasks.swap(waiting_);
  in_hand_ -= tasks.size();
  return tasks;
}

void Lanes::serve(BlockScorer& scorer, Lane& lane) {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++asleep_;
    wake_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    --asleep_;
    if (ending_) return;
    LaneTask task = waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    std::exception_ptr error;
    try {
      score(scorer, lane, task);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (!error) finished_.push_back(task);
    if (error && !error_) error_ = error;
    news_ = true;
  }
}

void Lanes::score(BlockScorer& scorer, Lane& lane, LaneTask& task) {
  static const Poll no_poll = [] {};
  const double start = now();
  PhaseTimes spent;
  try {
    scorer.score(task.block, task.payload, task.results, spent, no_poll);
  } catch (const base::Error& error) {
    throw error.in(block_text(rank_.plan, task.block));
  } catch (const std::exception& error) {
    throw base::Error(base::ExitCode::internal, error.what()).in(block_text(rank_.plan, task.block));
  }
  task.crc = base::crc32(task.results);
  charge_scoring(lane.phases, now() - start, spent);
  ++lane.blocks;
  lane.rows += rank_.plan.range(task.block).size();
  lane.payload_bytes += task.payload.size();
}

void Lanes::finish() {
  end();
  rank_.clock.to(&PhaseTimes::idle);
  const double loop = rank_.clock.charged();
  PhaseTimes& mean = rank_.report.phases;
  const auto threads = static_cast<double>(others_.size() + 1);
  for (const Lane& lane : others_) {
    const PhaseTimes& busy = lane.phases;
    mean.fetch += busy.fetch;
    mean.decode += busy.decode;
    mean.score += busy.score;
    mean.write += busy.write;
    mean.idle += loop - (busy.fetch + busy.decode + busy.score + busy.write);
    rank_.report.blocks += lane.blocks;
    rank_.report.rows += lane.rows;
    rank_.report.payload_bytes += lane.payload_bytes;
  }
  for (double PhaseTimes::*const phase : {&PhaseTimes::fetch, &PhaseTimes::decode, &PhaseTimes::score,
                                          &PhaseTimes::transfer, &PhaseTimes::write, &PhaseTimes::idle})
    mean.*phase /= threads;
}

}  // namespace h5score::run

// The lanes of one rank: blocks that have arrived wait in one queue; the rank's main thread takes from it when it has
// nothing better to do, and a thread for each further lane always. Private to run.
#pragma once

#include "engine_rank.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace h5score::run {

/// One block: where its payload lies and its results go.
struct LaneTask {
  u64 block = 0;
  base::ByteView payload;
  std::span<std::byte> results;
  u64 slot = 0;  ///< the caller's name for these buffers
  u32 crc = 0;   ///< CRC-32 of the results, once finished
};

/// All functions are for the main thread. Destroyed while blocks are being scored (only while failing), it waits for
/// them: so it must go before their buffers.
class Lanes {
 public:
  /// Uses the first `count` of the rank's scorers. Throws Error(usage) where the system refuses so many threads.
  Lanes(Rank& rank, u64 count);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  void submit(const LaneTask& task);
  /// Scores a waiting block in the main thread, with polls; false if none waits.
  bool score_one();
  /// A block whose results are there. Throws what another lane threw, with its block in the message.
  std::optional<LaneTask> finished();
  /// Takes back what no lane has begun.
  std::deque<LaneTask> withdraw();
  /// Submitted, and returned neither by finished() nor by withdraw() yet.
  [[nodiscard]] u64 in_hand() const { return in_hand_; }
  /// Ends the threads, and makes the rank's phases the mean of all lanes' threads: each phase is the seconds that a
  /// thread spent in it on average, and their sum stays the rank's loop time. No block may be in hand.
  void finish();

 private:
  struct Lane {
    PhaseTimes phases;
    u64 blocks = 0;
    u64 rows = 0;
    u64 payload_bytes = 0;
    std::thread thread;
  };

  void serve(BlockScorer& scorer, Lane& lane);
  void score(BlockScorer& scorer, Lane& lane, LaneTask& task);
  std::optional<LaneTask> take();
  void end();

  Rank& rank_;
  std::vector<Lane> others_;  ///< lanes 1, 2, ...
  u64 in_hand_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by the mutex:
  std::deque<LaneTask> waiting_;
  std::deque<LaneTask> finished_;
  u64 asleep_ = 0;
  bool ending_ = false;
  std::exception_ptr error_;
  std::atomic<bool> news_{false};  ///< something finished or failed: spares the main thread the lock
};

}  // namespace h5score::run

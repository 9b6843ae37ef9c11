// What the engine's loops share on each rank: calls into source, scorer and sink with their times and error context,
// the poll that keeps transfers moving, and buffers with a pending transfer. Private to run.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/error.hpp"
#include "h5score/comm/backoff.hpp"
#include "h5score/comm/communicator.hpp"
#include "h5score/run/engine.hpp"

#include "engine_stop.hpp"

#include <chrono>
#include <concepts>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace h5score::run {

/// Follows the bytes of each payload and result message (and stands alone where a round has no block for a rank).
struct BlockTrailer {
  static constexpr u64 no_block = ~u64{0};
  u64 block = no_block;
  u64 value = 0;  ///< results: CRC-32 of them, or given_back; payload: unused
};
/// Instead of a checksum: the block was not begun, because the run stops.
constexpr u64 given_back = u64{1} << 32;

/// Appends or reads a trivially copyable trailer at the end of a message.
template <class T>
void put_trailer(std::span<std::byte> message, const T& trailer) {
  std::memcpy(message.data() + message.size() - sizeof(T), &trailer, sizeof(T));
}
template <class T>
[[nodiscard]] T get_trailer(base::ByteView message) {
  if (message.size() < sizeof(T)) throw base::Error(base::ExitCode::internal, "a block message is too short");
  T trailer;
  std::memcpy(&trailer, message.data() + message.size() - sizeof(T), sizeof(T));
  return trailer;
}

/// A buffer and the transfer that uses it. If destroyed while the transfer is pending (only while failing), both are
/// leaked: MPI may still write to the memory.
class Transfer {
 public:
  Transfer() = default;
  Transfer(Transfer&&) = default;
  Transfer& operator=(Transfer&&) = delete;
  ~Transfer();

  base::AlignedBuffer buffer;

  void start(std::unique_ptr<comm::Request> request) { request_ = std::move(request); }
  [[nodiscard]] bool pending() const { return request_ != nullptr; }
  /// True if no transfer is pending (any more).
  bool test();

 private:
  std::unique_ptr<comm::Request> request_;
};

/// Charges wall time to one phase at a time; a scope inside another interrupts it.
class PhaseClock {
 public:
  explicit PhaseClock(PhaseTimes& times) : times_(times), start_(std::chrono::steady_clock::now()) {}
  /// Seconds since construction.
  [[nodiscard]] double now() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  /// Seconds that belong to phases so far: their sum.
  [[nodiscard]] double charged() const { return since_; }
  [[nodiscard]] bool idle() const { return phase_ == &PhaseTimes::idle; }
  /// From here on, time belongs to `phase`.
  void to(double PhaseTimes::*phase) {
    const double end = now();
    times_.*phase_ += end - since_;
    since_ = end;
    phase_ = phase;
  }

  class Scope {
   public:
    Scope(PhaseClock& clock, double PhaseTimes::*phase) : clock_(clock), outer_(clock.phase_) { clock_.to(phase); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { clock_.to(outer_); }

   private:
    PhaseClock& clock_;
    double PhaseTimes::*outer_;
  };

 private:
  PhaseTimes& times_;
  std::chrono::steady_clock::time_point start_;
  double since_ = 0;
  double PhaseTimes::*phase_ = &PhaseTimes::transfer;
};

class Rank {
 public:
  /// `scorers`: this rank's lanes, the first of which score() uses.
  Rank(comm::Communicator& communicator, const sched::BlockPlan& block_plan, const std::vector<BlockScorer*>& scorers,
       const EngineOptions& options);
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  comm::Communicator& comm;
  const sched::BlockPlan& plan;
  const std::vector<BlockScorer*>& lanes;
  RankReport report;
  StopWish stop;

  PhaseClock clock;

  /// What poll() does: moves transfers along and tells whether some are pending afterwards. Its time counts as
  /// transfer; in an idle rank only from where it calls clock.to(transfer).
  void set_pump(std::function<bool()> pump) { pump_ = std::move(pump); }
  void pump();
  [[nodiscard]] const Poll& poll() const { return poll_; }

  // Calls outward. Each has its own phase and adds the block to an error's message.
  /// The payload in `payload`, with capacity for `extra` more bytes behind it.
  void fetch(BlockSource& source, u64 block, base::AlignedBuffer& payload, std::size_t extra);
  /// In the first lane. The CRC-32 of the results.
  u32 score(u64 block, base::ByteView payload, std::span<std::byte> results);
  void write(BlockSink& sink, u64 block, base::ByteView results, u32 crc);
  [[nodiscard]] u64 result_bytes(u64 block) const { return lanes.front()->result_bytes(block); }

  /// Pumps until `done()`; the time goes to `phase`.
  template <std::predicate F>
  void wait_until(F done, double PhaseTimes::*phase) {
    const PhaseClock::Scope scope(clock, phase);
    comm::Backoff backoff;
    while (!done()) {
      backoff.pause();
      pump();
    }
  }

  /// Fills in what is known at the end: traffic, memory, host.
  void finish_report(u64 buffer_bytes);

 private:
  void poll_if_due();
  template <class F>
  void in_block(u64 block, F action) const;

  comm::Traffic traffic_before_;
  std::function<bool()> pump_;
  Poll poll_;
  double last_pump_ = 0;
  bool pending_ = false;           ///< transfers were pending after the last pump
  std::exception_ptr poll_error_;  ///< thrown by a poll: not the fault of the block at hand
};

/// Adds `seconds` of scoring to `phases`, divided as the scorer tells in `spent`; what it does not account for is
/// scoring.
void charge_scoring(PhaseTimes& phases, double seconds, const PhaseTimes& spent);

/// "block 7, rows 70:80", for errors.
[[nodiscard]] std::string block_text(const sched::BlockPlan& plan, u64 block);

/// Receives the message of `envelope`, which only a failing rank sends, and throws its error; Error(internal) if it is
/// another.
[[noreturn]] void receive_failure(comm::Communicator& comm, const comm::Envelope& envelope);

/// Throws Error(io) unless `crc` is the CRC-32 of `results`, naming block and rank.
void check_arrived(u64 block, u32 rank, base::ByteView results, u32 crc);

}  // namespace h5score::run

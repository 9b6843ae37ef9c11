// The credit engine at a worker: scores payloads in the order they come while the next ones arrive.
#include "h5score/base/error.hpp"

#include "engine_loops.hpp"

#include <algorithm>
#include <deque>

namespace h5score::run {
namespace {

class WorkerLoop {
 public:
  WorkerLoop(Rank& rank, u64 payload_slots, u64 result_slots)
      : rank_(rank), payloads_(payload_slots), results_(result_slots) {
    for (u64 i = 0; i < payload_slots; ++i) free_.push_back(i);
    rank_.set_pump([this] { return move_transfers(); });
  }

  LoopResult run() {
    comm::Backoff backoff;
    for (;;) {
      rank_.pump();
      if (!arriving_.empty() && !payloads_[arriving_.front()].pending()) {
        rank_.clock.to(&PhaseTimes::transfer);
        score(arriving_.front());
        backoff.reset();
        continue;
      }
      if (dismissed_ && arriving_.empty()) break;
      rank_.clock.to(arriving_.empty() ? &PhaseTimes::idle : &PhaseTimes::transfer);
      backoff.pause();
    }
    rank_.wait_until([this] { return std::none_of(results_.begin(), results_.end(), is_pending); },
                     &PhaseTimes::transfer);
    return {buffer_bytes(), stopped_};
  }

 private:
  static bool is_pending(const Transfer& t) { return t.pending(); }

  /// Receives into free slots; runs inside polls.
  bool move_transfers() {
    bool in_flight = false;
    while (!free_.empty() && !dismissed_) {
      const auto envelope = rank_.comm.probe();
      if (!envelope) break;
      accept(*envelope);
    }
    for (Transfer& t : payloads_) in_flight |= !t.test();
    for (Transfer& t : results_) in_flight |= !t.test();
    return in_flight;
  }

  void accept(const comm::Envelope& envelope) {
    rank_.clock.to(&PhaseTimes::transfer);
    if (envelope.tag == comm::Tag::payload) {
      const u64 slot = free_.back();
      free_.pop_back();
      Transfer& payload = payloads_[slot];
      payload.buffer.resize(envelope.bytes);
      payload.start(rank_.comm.receive(payload.buffer.span(), envelope.source, envelope.tag));
      arriving_.push_back(slot);
    } else if (envelope.tag == comm::Tag::control && envelope.bytes == 1) {
      std::byte stopped{0};
      const auto request = rank_.comm.receive({&stopped, 1}, envelope.source, envelope.tag);
      while (!request->test()) rank_.comm.progress();
      stopped_ = stopped != std::byte{0};
      dismissed_ = true;
    } else {
      throw base::Error(base::ExitCode::internal, "a worker got a message that it did not expect");
    }
  }

  void score(u64 slot) {
    Transfer& result = free_result();
    const base::ByteView message = payloads_[slot].buffer.view();
    const auto trailer = get_trailer<BlockTrailer>(message);
    result.buffer.resize(rank_.result_bytes(trailer.block) + sizeof trailer);
    const auto results = result.buffer.span().first(result.buffer.size() - sizeof trailer);
    const u32 crc = rank_.score(trailer.block, message.first(message.size() - sizeof trailer), results);
    put_trailer(result.buffer.span(), BlockTrailer{trailer.block, crc});
    result.start(rank_.comm.send(result.buffer.view(), 0, comm::Tag::result));
    arriving_.pop_front();
    free_.push_back(slot);
  }

  Transfer& free_result() {
    auto found = results_.end();
    rank_.wait_until(
        [&] {
          found = std::find_if_not(results_.begin(), results_.end(), is_pending);
          return found != results_.end();
        },
        &PhaseTimes::transfer);
    return *found;
  }

  u64 buffer_bytes() const {
    u64 total = 0;
    for (const Transfer& t : payloads_) total += t.buffer.capacity();
    for (const Transfer& t : results_) total += t.buffer.capacity();
    return total;
  }

  Rank& rank_;
  std::vector<Transfer> payloads_;
  std::vector<Transfer> results_;
  std::vector<u64> free_;     ///< payload slots
  std::deque<u64> arriving_;  ///< payload slots in use, in the order of their messages
  bool dismissed_ = false;
  bool stopped_ = false;
};

}  // namespace

LoopResult run_worker(Rank& rank, u64 payload_slots, u64 result_slots) {
  return WorkerLoop(rank, payload_slots, result_slots).run();
}

}  // namespace h5score::run

// The credit engine at a worker: its lanes score payloads in the order they come while the next ones arrive.
#include "h5score/base/error.hpp"

#include "engine_lanes.hpp"
#include "engine_loops.hpp"

#include <algorithm>
#include <deque>

namespace h5score::run {
namespace {

/// What both kinds of workers do; they differ in how payloads and results travel.
class WorkerLoop {
 public:
  WorkerLoop(Rank& rank, const LaneBuffers& buffers, const SharedSlots& shared)
      : rank_(rank),
        shared_(shared),
        payloads_(shared.slots == 0 ? buffers.payloads : 0),
        results_(shared.slots == 0 ? buffers.results : shared.slots),
        lanes_(rank, buffers.lanes) {
    for (u64 i = 0; i < payloads_.size(); ++i) free_.push_back(i);
    for (u64 i = 0; i < results_.size(); ++i) free_results_.push_back(i);
    rank_.set_pump([this] { return move_transfers(); });
  }

  LoopResult run() {
    comm::Backoff backoff;
    for (;;) {
      rank_.pump();
      if (lanes_.score_one()) {
        rank_.clock.to(&PhaseTimes::transfer);
        backoff.reset();
        continue;
      }
      if (rank_.stop.ordered() && arriving_.empty() && lanes_.in_hand() == 0) break;
      rank_.clock.to(arriving_.empty() ? &PhaseTimes::idle : &PhaseTimes::transfer);
      backoff.pause();
    }
    rank_.wait_until([this] { return std::none_of(results_.begin(), results_.end(), is_pending); },
                     &PhaseTimes::transfer);
    lanes_.finish();
    return {buffer_bytes(), rank_.stop.to_give_back()};
  }

 private:
  static bool is_pending(const Transfer& t) { return t.pending(); }

  /// Supplies the lanes; runs inside polls.
  bool move_transfers() {
    rank_.stop.tell_root();
    while (!rank_.stop.ordered()) {
      const auto envelope = rank_.comm.probe();
      if (!envelope || !accept(*envelope)) break;
    }
    bool in_flight = false;
    for (Transfer& t : payloads_) in_flight |= !t.test();
    for (Transfer& t : results_) in_flight |= !t.test();
    if (rank_.stop.to_give_back())
      give_back();
    else
      start_arrived();
    while (const auto task = lanes_.finished()) send_results(*task);
    return in_flight;
  }

  /// False if there is no room for the message yet.
  bool accept(const comm::Envelope& envelope) {
    if (envelope.tag == comm::Tag::payload && shared_.slots > 0 && envelope.bytes == sizeof(SlotMessage)) {
      SlotMessage message;
      receive_now(envelope, std::as_writable_bytes(std::span(&message, 1)));
      start_shared(message);
      return true;
    }
    if (envelope.tag == comm::Tag::payload && shared_.slots == 0) {
      if (free_.empty()) return false;
      rank_.clock.to(&PhaseTimes::transfer);
      const u64 slot = free_.back();
      free_.pop_back();
      Transfer& payload = payloads_[slot];
      payload.buffer.resize(envelope.bytes);
      payload.start(rank_.comm.receive(payload.buffer.span(), envelope.source, envelope.tag));
      arriving_.push_back(slot);
      return true;
    }
    rank_.stop.receive_order(envelope);
    return true;
  }

  /// For small messages, which are there already.
  void receive_now(const comm::Envelope& envelope, std::span<std::byte> message) {
    rank_.clock.to(&PhaseTimes::transfer);
    const auto request = rank_.comm.receive(message, envelope.source, envelope.tag);
    while (!request->test()) rank_.comm.progress();
  }

  void start_shared(const SlotMessage& message) {
    if (message.slot >= shared_.slots || message.value > shared_.payload_bytes)
      throw base::Error(base::ExitCode::internal, "a payload lies outside the shared memory");
    const u64 bytes = rank_.result_bytes(message.block);
    lanes_.submit({message.block, shared_.payload(message.slot).first(message.value),
                   shared_.results(message.slot, bytes), message.slot, 0});
  }

  /// Gives payloads that are complete to the lanes, as long as there is a place for their results.
  void start_arrived() {
    while (!arriving_.empty() && !payloads_[arriving_.front()].pending() && !free_results_.empty()) {
      const auto free = std::find_if(free_results_.begin(), free_results_.end(),
                                     [this](u64 slot) { return !results_[slot].pending(); });
      if (free == free_results_.end()) return;
      const u64 slot = arriving_.front();
      const base::ByteView message = payloads_[slot].buffer.view();
      const auto trailer = get_trailer<BlockTrailer>(message);
      base::AlignedBuffer& results = results_[*free].buffer;
      results.resize(rank_.result_bytes(trailer.block) + sizeof trailer);
      lanes_.submit({trailer.block, message.first(message.size() - sizeof trailer),
                     results.span().first(results.size() - sizeof trailer), payload_and_result(slot, *free), 0});
      free_results_.erase(free);
      arriving_.pop_front();
    }
  }

  [[nodiscard]] u64 payload_and_result(u64 payload, u64 result) const { return payload * results_.size() + result; }

  /// What no lane has begun goes back to the root, without results.
  void give_back() {
    for (const LaneTask& task : lanes_.withdraw()) send(task, given_back, 0);
    while (!arriving_.empty() && !payloads_[arriving_.front()].pending() && !free_results_.empty()) {
      const u64 slot = arriving_.front();
      const u64 result = free_results_.back();
      arriving_.pop_front();
      free_results_.pop_back();
      const auto trailer = get_trailer<BlockTrailer>(payloads_[slot].buffer.view());
      while (!results_[result].test()) rank_.comm.progress();
      send({trailer.block, {}, {}, payload_and_result(slot, result), 0}, given_back, 0);
    }
  }

  void send_results(const LaneTask& task) {
    send(task, task.crc, shared_.slots > 0 ? 0 : rank_.result_bytes(task.block));
  }

  /// `value`: a checksum, or given_back. `bytes` of results travel in front of it.
  void send(const LaneTask& task, u64 value, u64 bytes) {
    u64 slot = task.slot;
    // A shared slot comes back only after the root has its last message, so that is complete but for looking.
    if (shared_.slots > 0) {
      while (!results_[slot].test()) rank_.comm.progress();
      results_[slot].buffer.resize(sizeof(SlotMessage));
      put_trailer(results_[slot].buffer.span(), SlotMessage{task.block, task.slot, value});
    } else {
      slot = task.slot % results_.size();
      results_[slot].buffer.resize(bytes + sizeof(BlockTrailer));
      put_trailer(results_[slot].buffer.span(), BlockTrailer{task.block, value});
      free_.push_back(task.slot / results_.size());
      free_results_.push_back(slot);
    }
    results_[slot].start(rank_.comm.send(results_[slot].buffer.view(), 0, comm::Tag::result));
  }

  u64 buffer_bytes() const {
    u64 total = shared_.memory.size();
    for (const Transfer& t : payloads_) total += t.buffer.capacity();
    for (const Transfer& t : results_) total += t.buffer.capacity();
    return total;
  }

  Rank& rank_;
  const SharedSlots& shared_;
  std::vector<Transfer> payloads_;
  std::vector<Transfer> results_;
  std::vector<u64> free_;          ///< payload slots
  std::vector<u64> free_results_;  ///< result slots that no lane fills; their last message may still be on its way
  std::deque<u64> arriving_;       ///< payload slots in use, in the order of their messages
  Lanes lanes_;                    ///< ends before the buffers do
};

}  // namespace

LoopResult run_worker(Rank& rank, const LaneBuffers& buffers, const SharedSlots& shared) {
  return WorkerLoop(rank, buffers, shared).run();
}

}  // namespace h5score::run

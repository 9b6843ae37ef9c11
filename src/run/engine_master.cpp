// The credit engine at the root: carries out what Master decides.
#include "h5score/base/error.hpp"
#include "h5score/run/master.hpp"

#include "engine_lanes.hpp"
#include "engine_loops.hpp"

#include <algorithm>
#include <deque>

namespace h5score::run {
namespace {

MasterLimits limits_of(const BufferPlan& buffers, const std::vector<SharedSlots>& shared) {
  MasterLimits limits{{}, buffers.send_slots, buffers.master_scores};
  for (std::size_t r = 0; r < shared.size(); ++r)
    limits.ranks.push_back({buffers.own[r].lanes, shared[r].slots > 0 ? shared[r].slots : buffers.own[r].payloads});
  return limits;
}

class MasterLoop {
 public:
  MasterLoop(Rank& rank, std::unique_ptr<sched::Policy> policy, const BufferPlan& buffers,
             const std::vector<SharedSlots>& shared, const RootEnds& ends)
      : rank_(rank),
        ends_(ends),
        master_(std::move(policy), limits_of(buffers, shared)),
        progress_(ends.options),
        workers_(shared.size()),
        sends_(buffers.send_slots),
        arrivals_(buffers.result_slots),
        own_(buffers.own[0].payloads),
        lanes_(rank, buffers.own[0].lanes) {
    for (std::size_t w = 0; w < shared.size(); ++w) {
      workers_[w].shared = shared[w];
      for (u64 slot = 0; slot < shared[w].slots; ++slot) workers_[w].free.push_back(slot);
    }
    for (u64 i = 0; i < own_.size(); ++i) own_free_.push_back(i);
    for (u64 i = 0; i < sends_.size(); ++i) idle_sends_.push_back(i);
    rank_.set_pump([this] { return move_transfers(); });
  }

  LoopResult run() {
    comm::Backoff backoff;
    for (;;) {
      moved_ = false;
      rank_.pump();
      if (master_.finished()) break;
      if (lanes_.score_one() || moved_) {
        rank_.clock.to(&PhaseTimes::transfer);
        backoff.reset();
      } else {
        rank_.clock.to(in_flight_ || !busy_sends_.empty() ? &PhaseTimes::transfer : &PhaseTimes::idle);
        backoff.pause();
      }
    }
    dismiss_workers();
    lanes_.finish();
    return {buffer_bytes(), master_.remaining() > 0};
  }

 private:
  struct Worker {
    SharedSlots shared;
    std::vector<u64> free;  ///< shared slots
  };
  /// Results by message.
  struct Arrival {
    enum class State : base::u8 { free, arriving, to_write };
    Transfer transfer;
    u32 worker = 0;
    State state = State::free;
  };
  struct SharedResult {
    u32 worker = 0;
    SlotMessage message;
  };
  struct Own {
    base::AlignedBuffer payload;
    base::AlignedBuffer results;
  };

  bool tell(MasterEvent::Kind kind, u32 worker, u64 block) {
    return master_.on({kind, worker, block}, rank_.clock.now());
  }

  /// Runs in the loop and inside every poll: so workers and lanes are supplied and results are written also while the
  /// root scores. Not inside fetches and writes: neither is entered again.
  bool move_transfers() {
    accept_messages();
    stop_if_asked();
    in_flight_ = false;
    for (Arrival& a : arrivals_) {
      in_flight_ |= !a.transfer.test();
      if (a.state == Arrival::State::arriving && !a.transfer.pending()) a.state = Arrival::State::to_write;
    }
    free_sent();
    if (!calling_out_) {
      calling_out_ = true;
      write_results();
      supply();
      calling_out_ = false;
    }
    return in_flight_ || !busy_sends_.empty();
  }

  void accept_messages() {
    while (const auto envelope = rank_.comm.probe()) {
      rank_.clock.to(&PhaseTimes::transfer);
      if (rank_.stop.accept(*envelope)) continue;
      if (envelope->tag != comm::Tag::result) receive_failure(rank_.comm, *envelope);
      if (workers_[envelope->source].shared.slots > 0) {
        accept_shared(*envelope);
        continue;
      }
      const auto arrival = std::find_if(arrivals_.begin(), arrivals_.end(),
                                        [](const Arrival& a) { return a.state == Arrival::State::free; });
      if (arrival == arrivals_.end()) return;
      arrival->state = Arrival::State::arriving;
      arrival->worker = envelope->source;
      arrival->transfer.buffer.resize(envelope->bytes);
      arrival->transfer.start(rank_.comm.receive(arrival->transfer.buffer.span(), envelope->source, comm::Tag::result));
    }
  }

  /// Whoever waits for a lane is not begun any more, here and everywhere.
  void stop_if_asked() {
    if (!rank_.stop.requested()) return;
    tell(MasterEvent::Kind::stop, 0, 0);
    rank_.stop.order(true);
    for (const LaneTask& task : lanes_.withdraw()) {
      take_back(0, task.block);
      own_free_.push_back(task.slot);
    }
  }

  void take_back(u32 worker, u64 block) {
    if (!tell(MasterEvent::Kind::returned, worker, block)) throw unexpected(worker, block);
    moved_ = true;
  }

  void accept_shared(const comm::Envelope& envelope) {
    SharedResult result{envelope.source, {}};
    if (envelope.bytes != sizeof result.message) throw unexpected(envelope.source, BlockTrailer::no_block);
    const auto request =
        rank_.comm.receive(std::as_writable_bytes(std::span(&result.message, 1)), envelope.source, comm::Tag::result);
    while (!request->test()) rank_.comm.progress();
    shared_results_.push_back(result);
  }

  [[nodiscard]] static base::Error unexpected(u32 worker, u64 block) {
    return {base::ExitCode::internal, "rank " + std::to_string(worker) + " sent results of block " +
                                          std::to_string(block) + " that it was not asked for"};
  }

  void write_results() {
    for (Arrival& a : arrivals_)
      if (a.state == Arrival::State::to_write) write_arrival(a);
    while (!shared_results_.empty()) {
      const SharedResult result = shared_results_.front();
      shared_results_.pop_front();
      write_shared(result);
    }
    while (const auto task = lanes_.finished()) {
      write(0, task->block, task->results, task->crc);
      own_free_.push_back(task->slot);
    }
  }

  void write_arrival(Arrival& arrived) {
    const base::ByteView message = arrived.transfer.buffer.view();
    const auto trailer = get_trailer<BlockTrailer>(message);
    const base::ByteView results = message.first(message.size() - sizeof trailer);
    if (trailer.value == given_back) {
      take_back(arrived.worker, trailer.block);
      arrived.state = Arrival::State::free;
      return;
    }
    if (trailer.block >= rank_.plan.blocks() || results.size() != rank_.result_bytes(trailer.block))
      throw unexpected(arrived.worker, trailer.block);
    const auto crc = static_cast<u32>(trailer.value);
    check_arrived(trailer.block, arrived.worker, results, crc);
    write(arrived.worker, trailer.block, results, crc);
    arrived.state = Arrival::State::free;
  }

  void write_shared(const SharedResult& result) {
    Worker& worker = workers_[result.worker];
    const auto [block, slot, crc] = result.message;
    if (block >= rank_.plan.blocks() || slot >= worker.shared.slots) throw unexpected(result.worker, block);
    if (crc == given_back)
      take_back(result.worker, block);
    else
      write(result.worker, block, worker.shared.results(slot, rank_.result_bytes(block)), static_cast<u32>(crc));
    worker.free.push_back(slot);
  }

  void write(u32 worker, u64 block, base::ByteView results, u32 crc) {
    if (!tell(MasterEvent::Kind::result, worker, block)) throw unexpected(worker, block);
    rank_.write(ends_.sink, block, results, crc);
    progress_.add(rank_.plan.range(block).size());
    moved_ = true;
  }

  // Results that came during a fetch make room again: where reading takes longer than scoring, the root goes on
  // reading for the others instead of scoring while they wait.
  void supply() {
    while (const auto next = master_.assignment(rank_.clock.now())) {
      assign(*next);
      accept_messages();
      write_results();
      stop_if_asked();  // quick workers may keep the root here
    }
    while (!own_free_.empty()) {
      const auto block = master_.own_block(rank_.clock.now());
      if (!block) break;
      start_own(*block);
    }
  }

  void free_sent() {
    std::erase_if(busy_sends_, [this](u64 slot) {
      if (!sends_[slot].test()) return false;
      idle_sends_.push_back(slot);
      tell(MasterEvent::Kind::sent, 0, 0);
      return true;
    });
  }

  void assign(const Assignment& next) {
    // Master counts a slot as free only after it was told, so there is one.
    const u64 slot = idle_sends_.back();
    idle_sends_.pop_back();
    Worker& worker = workers_[next.worker];
    base::AlignedBuffer& message = sends_[slot].buffer;
    if (worker.shared.slots > 0) {
      const u64 place = worker.free.back();
      worker.free.pop_back();
      base::AlignedBuffer payload(worker.shared.payload(place));
      rank_.fetch(ends_.source, next.block, payload, 0);
      message.resize(sizeof(SlotMessage));
      put_trailer(message.span(), SlotMessage{next.block, place, payload.size()});
    } else {
      rank_.fetch(ends_.source, next.block, message, sizeof(BlockTrailer));
      message.resize(message.size() + sizeof(BlockTrailer));
      put_trailer(message.span(), BlockTrailer{next.block, 0});
    }
    // A stop that came while the payload was read: the worker has its order to end and would not take the message.
    if (rank_.stop.ordered()) {
      idle_sends_.push_back(slot);
      take_back(next.worker, next.block);
      return;
    }
    sends_[slot].start(rank_.comm.send(message.view(), next.worker, comm::Tag::payload));
    busy_sends_.push_back(slot);
    free_sent();  // a small message has left already
    moved_ = true;
  }

  void start_own(u64 block) {
    const u64 slot = own_free_.back();
    own_free_.pop_back();
    Own& own = own_[slot];
    rank_.fetch(ends_.source, block, own.payload, 0);
    own.results.resize(rank_.result_bytes(block));
    lanes_.submit({block, own.payload.view(), own.results.span(), slot, 0});
    moved_ = true;
  }

  void dismiss_workers() {
    rank_.stop.order(master_.remaining() > 0);
    rank_.wait_until([&] { return rank_.stop.sent(); }, &PhaseTimes::transfer);
  }

  u64 buffer_bytes() const {
    u64 total = 0;
    for (const Worker& w : workers_) total += w.shared.memory.size();
    for (const Own& own : own_) total += own.payload.capacity() + own.results.capacity();
    for (const Transfer& s : sends_) total += s.buffer.capacity();
    for (const Arrival& a : arrivals_) total += a.transfer.buffer.capacity();
    return total;
  }

  Rank& rank_;
  RootEnds ends_;
  Master master_;
  ProgressCount progress_;
  std::vector<Worker> workers_;  ///< by rank
  std::vector<Transfer> sends_;
  std::vector<u64> idle_sends_;  ///< of sends_
  std::vector<u64> busy_sends_;  ///< of sends_: on their way
  std::vector<Arrival> arrivals_;
  std::deque<SharedResult> shared_results_;  ///< to be written
  std::vector<Own> own_;                     ///< the root's own blocks
  std::vector<u64> own_free_;                ///< of own_
  bool in_flight_ = false;                   ///< results are on their way
  bool moved_ = false;                       ///< a block was fetched or written since the loop began its turn
  bool calling_out_ = false;                 ///< to the source or the sink
  Lanes lanes_;                              ///< ends before the buffers do
};

}  // namespace

LoopResult run_master(Rank& rank, std::unique_ptr<sched::Policy> policy, const BufferPlan& buffers,
                      const std::vector<SharedSlots>& shared, const RootEnds& ends) {
  return MasterLoop(rank, std::move(policy), buffers, shared, ends).run();
}

}  // namespace h5score::run

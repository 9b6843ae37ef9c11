// The credit engine at the root: carries out what Master decides.
#include "h5score/base/error.hpp"
#include "h5score/run/master.hpp"

#include "engine_loops.hpp"

#include <algorithm>

namespace h5score::run {
namespace {

class MasterLoop {
 public:
  MasterLoop(Rank& rank, std::unique_ptr<sched::Policy> policy, const BufferPlan& buffers, const RootEnds& ends)
      : rank_(rank),
        ends_(ends),
        master_(std::move(policy),
                {rank.comm.size(), buffers.worker_payloads, buffers.send_slots, buffers.master_scores}),
        progress_(ends.options),
        sends_(buffers.send_slots),
        results_(buffers.result_slots) {
    rank_.set_pump([this] { return move_transfers(); });
  }

  LoopResult run() {
    comm::Backoff backoff;
    for (bool finished = false; !finished;) {
      if (!master_.stopped() && stop_requested(ends_.options)) tell(MasterEvent::Kind::stop, 0, 0);
      rank_.pump();
      const bool moved = free_sent() | take_results();
      const MasterAction action = master_.next(rank_.now());
      switch (action.kind) {
        case MasterAction::Kind::assign:
          assign(action.worker, action.block);
          break;
        case MasterAction::Kind::score_here:
          score_here(action.block);
          break;
        case MasterAction::Kind::finish:
          finished = true;
          break;
        case MasterAction::Kind::wait:
          rank_.charge(moved || in_flight_ ? &PhaseTimes::transfer : &PhaseTimes::idle);
          if (!moved) backoff.pause();
          continue;
      }
      backoff.reset();
    }
    dismiss_workers();
    return {buffer_bytes(), master_.remaining() > 0};
  }

 private:
  struct Arriving {
    Transfer transfer;
    u32 worker = 0;
    bool full = false;  ///< a message is here or on its way
  };

  bool tell(MasterEvent::Kind kind, u32 worker, u64 block) { return master_.on({kind, worker, block}, rank_.now()); }

  /// Starts to receive what has arrived. Runs inside polls, so it calls neither source nor sink.
  bool move_transfers() {
    for (;;) {
      const auto free = std::find_if(results_.begin(), results_.end(), [](const Arriving& a) { return !a.full; });
      if (free == results_.end()) {
        rank_.comm.progress();
        break;
      }
      const auto envelope = rank_.comm.probe();
      if (!envelope) break;
      if (envelope->tag != comm::Tag::result) receive_failure(rank_.comm, *envelope);
      free->full = true;
      free->worker = envelope->source;
      free->transfer.buffer.resize(envelope->bytes);
      free->transfer.start(rank_.comm.receive(free->transfer.buffer.span(), envelope->source, comm::Tag::result));
    }
    in_flight_ = false;
    for (Arriving& a : results_) in_flight_ |= !a.transfer.test();
    for (Transfer& s : sends_) in_flight_ |= s.pending() && !s.test();
    return in_flight_;
  }

  bool free_sent() {
    const auto pending =
        static_cast<u64>(std::count_if(sends_.begin(), sends_.end(), [](const Transfer& t) { return t.pending(); }));
    const bool any = pending < sends_in_use_;
    for (; sends_in_use_ > pending; --sends_in_use_) tell(MasterEvent::Kind::sent, 0, 0);
    return any;
  }

  bool take_results() {
    bool any = false;
    for (Arriving& a : results_) {
      if (!a.full || a.transfer.pending()) continue;
      take_result(a);
      any = true;
    }
    return any;
  }

  void take_result(Arriving& arrived) {
    const base::ByteView message = arrived.transfer.buffer.view();
    const auto trailer = get_trailer<BlockTrailer>(message);
    const base::ByteView results = message.first(message.size() - sizeof trailer);
    if (!tell(MasterEvent::Kind::result, arrived.worker, trailer.block) ||
        results.size() != rank_.result_bytes(trailer.block))
      throw base::Error(base::ExitCode::internal, "rank " + std::to_string(arrived.worker) + " sent results of block " +
                                                      std::to_string(trailer.block) + " that it was not asked for");
    const auto crc = static_cast<u32>(trailer.value);
    check_arrived(trailer.block, arrived.worker, results, crc);
    rank_.write(ends_.sink, trailer.block, results, crc);
    arrived.full = false;
    progress_.add(rank_.plan.range(trailer.block).size());
  }

  void assign(u32 worker, u64 block) {
    const auto slot = std::find_if(sends_.begin(), sends_.end(), [](const Transfer& t) { return !t.pending(); });
    // A slot may have become free unnoticed; Master counts those it was told of, which are never more.
    base::AlignedBuffer& payload = slot->buffer;
    rank_.charge(&PhaseTimes::transfer);
    rank_.fetch(ends_.source, block, payload, sizeof(BlockTrailer));
    payload.resize(payload.size() + sizeof(BlockTrailer));
    put_trailer(payload.span(), BlockTrailer{block, 0});
    slot->start(rank_.comm.send(payload.view(), worker, comm::Tag::payload));
    ++sends_in_use_;
    rank_.charge(&PhaseTimes::transfer);
  }

  void score_here(u64 block) {
    rank_.charge(&PhaseTimes::transfer);
    rank_.fetch(ends_.source, block, own_payload_, 0);
    own_results_.resize(rank_.result_bytes(block));
    const u32 crc = rank_.score(block, own_payload_.view(), own_results_.span());
    rank_.write(ends_.sink, block, own_results_.view(), crc);
    rank_.pump();
    take_results();
    tell(MasterEvent::Kind::result, 0, block);
    progress_.add(rank_.plan.range(block).size());
  }

  void dismiss_workers() {
    const auto stopped = static_cast<std::byte>(master_.remaining() > 0);
    std::vector<std::unique_ptr<comm::Request>> requests;
    for (u32 worker = 1; worker < rank_.comm.size(); ++worker)
      requests.push_back(rank_.comm.send({&stopped, 1}, worker, comm::Tag::control));
    rank_.wait_until([&] { return std::all_of(requests.begin(), requests.end(), [](auto& r) { return r->test(); }); },
                     &PhaseTimes::transfer);
  }

  u64 buffer_bytes() const {
    u64 total = own_payload_.capacity() + own_results_.capacity();
    for (const Transfer& s : sends_) total += s.buffer.capacity();
    for (const Arriving& a : results_) total += a.transfer.buffer.capacity();
    return total;
  }

  Rank& rank_;
  RootEnds ends_;
  Master master_;
  ProgressCount progress_;
  std::vector<Transfer> sends_;
  u64 sends_in_use_ = 0;  ///< as Master counts them
  std::vector<Arriving> results_;
  bool in_flight_ = false;
  base::AlignedBuffer own_payload_;
  base::AlignedBuffer own_results_;
};

}  // namespace

LoopResult run_master(Rank& rank, std::unique_ptr<sched::Policy> policy, const BufferPlan& buffers,
                      const RootEnds& ends) {
  return MasterLoop(rank, std::move(policy), buffers, ends).run();
}

}  // namespace h5score::run

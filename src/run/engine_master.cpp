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
    for (;;) {
      if (stop_requested(ends_.options)) tell(MasterEvent::Kind::stop, 0, 0);
      rank_.pump();
      rank_.clock.to(in_flight_ ? &PhaseTimes::transfer : &PhaseTimes::idle);
      if (write_one()) {
        backoff.reset();
      } else if (master_.finished()) {
        break;
      } else if (const auto block = master_.own_block(rank_.clock.now())) {
        score_here(*block);
        backoff.reset();
      } else {
        backoff.pause();
      }
    }
    dismiss_workers();
    return {buffer_bytes(), master_.remaining() > 0};
  }

 private:
  struct Arriving {
    enum class State : base::u8 { free, arriving, to_write };
    Transfer transfer;
    u32 worker = 0;
    State state = State::free;
  };

  bool tell(MasterEvent::Kind kind, u32 worker, u64 block) {
    return master_.on({kind, worker, block}, rank_.clock.now());
  }

  /// Runs in the loop and inside every poll: so the workers are supplied also while the root scores or writes, only not
  /// while it fetches.
  bool move_transfers() {
    accept_messages();
    in_flight_ = false;
    for (Arriving& a : results_) in_flight_ |= !a.transfer.test();
    for (Transfer& s : sends_) in_flight_ |= !s.test();
    for (Arriving& a : results_)
      if (a.state == Arriving::State::arriving && !a.transfer.pending()) note_result(a);
    if (!fetching_) {
      fetching_ = true;
      free_sent();
      while (const auto next = master_.assignment(rank_.clock.now())) assign(*next);
      fetching_ = false;
    }
    return in_flight_;
  }

  void accept_messages() {
    for (Arriving& a : results_) {
      if (a.state != Arriving::State::free) continue;
      const auto envelope = rank_.comm.probe();
      if (!envelope) return;
      rank_.clock.to(&PhaseTimes::transfer);
      if (envelope->tag != comm::Tag::result) receive_failure(rank_.comm, *envelope);
      a.state = Arriving::State::arriving;
      a.worker = envelope->source;
      a.transfer.buffer.resize(envelope->bytes);
      a.transfer.start(rank_.comm.receive(a.transfer.buffer.span(), envelope->source, comm::Tag::result));
    }
  }

  void free_sent() {
    const auto pending =
        static_cast<u64>(std::count_if(sends_.begin(), sends_.end(), [](const Transfer& t) { return t.pending(); }));
    for (; sends_in_use_ > pending; --sends_in_use_) tell(MasterEvent::Kind::sent, 0, 0);
  }

  /// The worker can be supplied at once; the results are written when the loop comes to it.
  void note_result(Arriving& arrived) {
    const base::ByteView message = arrived.transfer.buffer.view();
    const auto trailer = get_trailer<BlockTrailer>(message);
    if (!tell(MasterEvent::Kind::result, arrived.worker, trailer.block) ||
        message.size() - sizeof trailer != rank_.result_bytes(trailer.block))
      throw base::Error(base::ExitCode::internal, "rank " + std::to_string(arrived.worker) + " sent results of block " +
                                                      std::to_string(trailer.block) + " that it was not asked for");
    arrived.state = Arriving::State::to_write;
  }

  bool write_one() {
    const auto arrived = std::find_if(results_.begin(), results_.end(),
                                      [](const Arriving& a) { return a.state == Arriving::State::to_write; });
    if (arrived == results_.end()) return false;
    const base::ByteView message = arrived->transfer.buffer.view();
    const auto trailer = get_trailer<BlockTrailer>(message);
    const base::ByteView results = message.first(message.size() - sizeof trailer);
    const auto crc = static_cast<u32>(trailer.value);
    check_arrived(trailer.block, arrived->worker, results, crc);
    rank_.write(ends_.sink, trailer.block, results, crc);
    arrived->state = Arriving::State::free;
    progress_.add(rank_.plan.range(trailer.block).size());
    return true;
  }

  void assign(const Assignment& next) {
    // Master counts a slot as free only after it was told, so there is one.
    const auto slot = std::find_if(sends_.begin(), sends_.end(), [](const Transfer& t) { return !t.pending(); });
    base::AlignedBuffer& payload = slot->buffer;
    rank_.fetch(ends_.source, next.block, payload, sizeof(BlockTrailer));
    payload.resize(payload.size() + sizeof(BlockTrailer));
    put_trailer(payload.span(), BlockTrailer{next.block, 0});
    slot->start(rank_.comm.send(payload.view(), next.worker, comm::Tag::payload));
    ++sends_in_use_;
    in_flight_ = true;
  }

  void score_here(u64 block) {
    fetching_ = true;
    rank_.fetch(ends_.source, block, own_payload_, 0);
    fetching_ = false;
    own_results_.resize(rank_.result_bytes(block));
    const u32 crc = rank_.score(block, own_payload_.view(), own_results_.span());
    rank_.write(ends_.sink, block, own_results_.view(), crc);
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
  bool fetching_ = false;  ///< inside fetch(), which must not be entered again
  base::AlignedBuffer own_payload_;
  base::AlignedBuffer own_results_;
};

}  // namespace

LoopResult run_master(Rank& rank, std::unique_ptr<sched::Policy> policy, const BufferPlan& buffers,
                      const RootEnds& ends) {
  return MasterLoop(rank, std::move(policy), buffers, ends).run();
}

}  // namespace h5score::run

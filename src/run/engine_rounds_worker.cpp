// The static schedule in rounds, a worker's side.
#include "engine_loops.hpp"
#include "engine_rounds.hpp"

#include <array>

namespace h5score::run {
namespace {

class RoundsWorker {
 public:
  explicit RoundsWorker(Rank& rank) : rank_(rank) {
    rank_.set_pump([this] { return move_transfers(); });
  }

  LoopResult run() {
    u64 part = first_part();
    if (part > 0) start_scatter(0, part);
    bool abandoned = false;
    for (u64 round = 0; part > 0; ++round) {
      wait(flight(round).scatter);
      const auto trailer = get_trailer<RoundTrailer>(flight(round).scatter.buffer.view());
      abandoned = trailer.abandoned != 0;
      if (abandoned) break;
      part = trailer.next_part;
      if (part > 0) start_scatter(round + 1, part);
      wait(flight(round).gather);
      score(flight(round), trailer);
      flight(round).gather.start(rank_.comm.gather(flight(round).gather.buffer.view(), {}, {}));
    }
    for (Flight& f : flights_) wait(f.gather);
    return {buffer_bytes(), abandoned};
  }

 private:
  struct Flight {
    Transfer scatter;
    Transfer gather;
  };
  Flight& flight(u64 round) { return flights_[round % flights_.size()]; }

  u64 first_part() {
    u64 part = 0;
    const auto request = rank_.comm.scatter({}, {}, std::as_writable_bytes(std::span(&part, 1)));
    rank_.wait_until([&] { return request->test(); }, &PhaseTimes::idle);
    return part;
  }

  void start_scatter(u64 round, u64 part) {
    Transfer& scatter = flight(round).scatter;
    scatter.buffer.resize(part);
    scatter.start(rank_.comm.scatter({}, {}, scatter.buffer.span()));
  }

  void wait(Transfer& transfer) {
    rank_.wait_until([&] { return transfer.test(); }, &PhaseTimes::idle);
  }

  void score(Flight& f, const RoundTrailer& round) {
    BlockTrailer trailer{round.block, 0};
    base::AlignedBuffer& message = f.gather.buffer;
    if (round.block == BlockTrailer::no_block) {
      message.resize(sizeof trailer);
    } else {
      message.resize(rank_.result_bytes(round.block) + sizeof trailer);
      const auto results = message.span().first(message.size() - sizeof trailer);
      rank_.pump();  // the order to stop may be there
      trailer.value = rank_.stop.to_give_back()
                          ? given_back
                          : rank_.score(round.block, f.scatter.buffer.view().first(round.bytes), results);
    }
    put_trailer(message.span(), trailer);
  }

  bool move_transfers() {
    rank_.stop.tell_root();
    if (const auto envelope = rank_.comm.probe()) rank_.stop.receive_order(*envelope);
    bool in_flight = false;
    for (Flight& f : flights_) {
      in_flight |= !f.scatter.test();
      in_flight |= !f.gather.test();
    }
    return in_flight;
  }

  u64 buffer_bytes() const {
    u64 total = 0;
    for (const Flight& f : flights_) total += f.scatter.buffer.capacity() + f.gather.buffer.capacity();
    return total;
  }

  Rank& rank_;
  std::array<Flight, 2> flights_;
};

}  // namespace

LoopResult run_rounds_worker(Rank& rank) {
  return RoundsWorker(rank).run();
}

}  // namespace h5score::run

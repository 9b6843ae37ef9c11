// The static schedule in rounds, root's side: each round is one scatter of payloads and one gather of results. The next
// round's scatter is in flight while this one is scored, the last round's gather while the next one is fetched.
#include "engine_rounds.hpp"

#include "h5score/base/error.hpp"

#include "engine_loops.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace h5score::run {
namespace {

/// A payload's bytes and the trailer, so that the next part begins at an aligned place, too.
u64 payload_part(u64 bound) {
  constexpr u64 alignment = base::AlignedBuffer::alignment;
  return (bound + sizeof(RoundTrailer) + alignment - 1) / alignment * alignment;
}

/// Bytes of rank w's part of a scatter (0 for the root, which keeps its own).
u64 scatter_part(const Rounds& rounds, const BlockSource& source, u64 round, u32 w) {
  if (w == 0 || round >= rounds.rounds) return 0;
  return payload_part(round < rounds.owners[w].size() ? source.payload_bound(rounds.owners[w][round]) : 0);
}

u64 gather_part(const Rounds& rounds, const Rank& rank, u64 round, u32 w) {
  if (w == 0) return 0;
  const bool has_block = round < rounds.owners[w].size();
  return sizeof(BlockTrailer) + (has_block ? rank.result_bytes(rounds.owners[w][round]) : 0);
}

/// The buffers of one round in flight. Rounds alternate between two.
struct Flight {
  Transfer scatter;
  Transfer gather;
  std::vector<u64> gather_parts;
  base::AlignedBuffer own_payload;
};

class RoundsRoot {
 public:
  RoundsRoot(Rank& rank, const Rounds& rounds, const RootEnds& ends)
      : rank_(rank), rounds_(rounds), ends_(ends), progress_(ends.options) {
    rank_.set_pump([this] { return move_transfers(); });
  }

  LoopResult run() {
    announce_first();
    if (rounds_.rounds > 0) prepare(0, rank_.stop.requested());
    for (u64 round = 0; round < rounds_.rounds && !abandoned_; ++round) {
      if (round + 1 < rounds_.rounds) prepare(round + 1, rank_.stop.requested());
      score_own(round);
      start_gather(round);
      if (round > 0) finish_gather(round - 1);
      last_ = round;
    }
    if (last_) finish_gather(*last_);
    for (Flight& f : flights_) wait(f.scatter);
    return {buffer_bytes(), abandoned_ || undone_};
  }

 private:
  Flight& flight(u64 round) { return flights_[round % flights_.size()]; }

  void wait(Transfer& transfer) {
    rank_.wait_until([&] { return transfer.test(); }, &PhaseTimes::idle);
  }

  bool move_transfers() {
    if (const auto envelope = rank_.comm.probe(); envelope && !rank_.stop.accept(*envelope))
      receive_failure(rank_.comm, *envelope);
    if (rank_.stop.requested()) rank_.stop.order(true);
    bool in_flight = false;
    for (Flight& f : flights_) {
      in_flight |= !f.scatter.test();
      in_flight |= !f.gather.test();
    }
    return in_flight;
  }

  void announce_first() {
    std::vector<u64> first;
    for (u32 w = 0; w < rank_.comm.size(); ++w) first.push_back(scatter_part(rounds_, ends_.source, 0, w));
    std::vector<u64> parts(first.size(), sizeof(u64));
    u64 mine = 0;
    const auto request =
        rank_.comm.scatter(std::as_bytes(std::span(first)), parts, std::as_writable_bytes(std::span(&mine, 1)));
    rank_.wait_until([&] { return request->test(); }, &PhaseTimes::transfer);
  }

  /// Fetches a round and starts its scatter; abandoned: tells every worker to end instead.
  void prepare(u64 round, bool abandon) {
    Flight& f = flight(round);
    wait(f.scatter);
    abandoned_ = abandon;
    std::vector<u64> parts;
    for (u32 w = 0; w < rank_.comm.size(); ++w) parts.push_back(scatter_part(rounds_, ends_.source, round, w));
    f.scatter.buffer.resize(std::accumulate(parts.begin(), parts.end(), u64{0}));
    std::byte* part = f.scatter.buffer.data();
    for (u32 w = 1; w < rank_.comm.size(); part += parts[w], ++w) fill({part, parts[w]}, round, w);
    f.scatter.start(rank_.comm.scatter(f.scatter.buffer.view(), parts, {}));
    if (!abandon && round < rounds_.owners[0].size())
      rank_.fetch(ends_.source, rounds_.owners[0][round], f.own_payload, 0);
  }

  void fill(std::span<std::byte> part, u64 round, u32 w) {
    RoundTrailer trailer;
    trailer.next_part = scatter_part(rounds_, ends_.source, round + 1, w);
    trailer.abandoned = abandoned_ ? 1 : 0;
    if (!abandoned_ && round < rounds_.owners[w].size()) {
      trailer.block = rounds_.owners[w][round];
      base::AlignedBuffer payload(part.first(part.size() - sizeof trailer));
      rank_.fetch(ends_.source, trailer.block, payload, 0);
      trailer.bytes = payload.size();
    }
    put_trailer(part, trailer);
  }

  void score_own(u64 round) {
    if (round >= rounds_.owners[0].size()) return;
    if (rank_.stop.requested()) {
      undone_ = true;
      return;
    }
    const u64 block = rounds_.owners[0][round];
    own_results_.resize(rank_.result_bytes(block));
    const u32 crc = rank_.score(block, flight(round).own_payload.view(), own_results_.span());
    rank_.write(ends_.sink, block, own_results_.view(), crc);
    progress_.add(rank_.plan.range(block).size());
  }

  void start_gather(u64 round) {
    Flight& f = flight(round);
    f.gather_parts.clear();
    for (u32 w = 0; w < rank_.comm.size(); ++w) f.gather_parts.push_back(gather_part(rounds_, rank_, round, w));
    f.gather.buffer.resize(std::accumulate(f.gather_parts.begin(), f.gather_parts.end(), u64{0}));
    f.gather.start(rank_.comm.gather({}, f.gather.buffer.span(), f.gather_parts));
  }

  void finish_gather(u64 round) {
    Flight& f = flight(round);
    wait(f.gather);
    base::ByteView rest = f.gather.buffer.view();
    for (u32 w = 1; w < rank_.comm.size(); ++w) {
      const base::ByteView part = rest.first(f.gather_parts[w]);
      rest = rest.subspan(part.size());
      const auto trailer = get_trailer<BlockTrailer>(part);
      const u64 expected = round < rounds_.owners[w].size() ? rounds_.owners[w][round] : BlockTrailer::no_block;
      if (trailer.block != expected)
        throw base::Error(base::ExitCode::internal, "rank " + std::to_string(w) + " sent results of block " +
                                                        std::to_string(trailer.block) + " that it was not asked for");
      if (expected == BlockTrailer::no_block) continue;
      if (trailer.value == given_back) {
        undone_ = true;
        continue;
      }
      const base::ByteView results = part.first(part.size() - sizeof trailer);
      const auto crc = static_cast<u32>(trailer.value);
      check_arrived(expected, w, results, crc);
      rank_.write(ends_.sink, expected, results, crc);
      progress_.add(rank_.plan.range(expected).size());
    }
  }

  u64 buffer_bytes() const {
    u64 total = own_results_.capacity();
    for (const Flight& f : flights_)
      total += f.scatter.buffer.capacity() + f.gather.buffer.capacity() + f.own_payload.capacity();
    return total;
  }

  Rank& rank_;
  const Rounds& rounds_;
  RootEnds ends_;
  ProgressCount progress_;
  std::array<Flight, 2> flights_;
  base::AlignedBuffer own_results_;
  bool abandoned_ = false;   ///< rounds were not begun, because the run stops
  bool undone_ = false;      ///< nor were blocks of the last ones
  std::optional<u64> last_;  ///< last round whose gather was started
};

}  // namespace

Rounds make_rounds(Rank& rank, const sched::Work& work, const BlockSource& source) {
  Rounds rounds;
  rounds.owners = sched::static_owners(work);
  for (const auto& own : rounds.owners) rounds.rounds = std::max<u64>(rounds.rounds, own.size());
  for (u64 round = 0; round < rounds.rounds; ++round) {
    u64 payload = 0;
    u64 result = 0;
    for (u32 w = 1; w < rank.comm.size(); ++w) {
      payload += scatter_part(rounds, source, round, w);
      result += gather_part(rounds, rank, round, w);
    }
    rounds.payload_bytes = std::max(rounds.payload_bytes, payload);
    rounds.result_bytes = std::max(rounds.result_bytes, result);
  }
  return rounds;
}

bool rounds_fit(const Rounds& rounds, const BlockDemand& demand, u64 memory) {
  constexpr u64 most = std::numeric_limits<std::int32_t>::max();
  constexpr u64 rounding = 4 * base::AlignedBuffer::alignment;
  const u64 own = 2 * demand.payload + demand.result;
  return rounds.payload_bytes <= most && rounds.result_bytes <= most &&
         2 * (rounds.payload_bytes + rounds.result_bytes) + own + rounding <= memory;
}

LoopResult run_rounds_root(Rank& rank, const Rounds& rounds, const RootEnds& ends) {
  return RoundsRoot(rank, rounds, ends).run();
}

}  // namespace h5score::run

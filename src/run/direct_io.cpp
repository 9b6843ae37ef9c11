// Reading, scoring and writing of one block on its rank, and the root's books.
#include "direct_io.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"

#include "clock.hpp"

#include <algorithm>
#include <utility>

namespace h5score::run {
DirectScorer::DirectScorer(const DirectRank& shared, u64 threads)
    : shared_(shared),
      reading_(shared.decoder, shared.rows, shared.files, shared.host, threads),
      sums_(shared.statistics),
      flags_(shared.layout) {}

void DirectScorer::score(u64 block, base::ByteView payload, std::span<std::byte> results, PhaseTimes& phases,
                         const Poll& poll) {
  const u64 rows = shared_.plan.range(block).size();
  const bool sampled = shared_.statistics.sample.takes_block(block);
  results_.resize(rows * shared_.layout.row_bytes);
  const BlockPlace place{results_.span(), rows, sampled ? &sums_ : nullptr};
  reading_.score(payload, place, phases, poll);

  const double start = now();
  DirectOutcome outcome = deliver(block, poll);
  outcome.sums.resize(shared_.statistics.bytes(block));
  if (sampled) sums_.take(outcome.sums);
  DirectMessages::encode(outcome, results);
  phases.write += now() - start;
}

DirectOutcome DirectScorer::deliver(u64 block, const Poll& poll) {
  const auto range = shared_.plan.range(block);
  DirectOutcome outcome;
  outcome.rank = shared_.rank;
  outcome.flags = flags_.count(results_.view(), range.size());
  outcome.crc = base::crc32(results_.view());
  outcome.bytes_read = reading_.bytes_read() - std::exchange(bytes_read_, reading_.bytes_read());
  if (!shared_.leave_out_missing || !outcome.flags.first_missing) {
    rest_.clear();
    outcome.write = shared_.writer.write(range, results_.view(), rest_, poll);
    for (const auto& rest : rest_) outcome.rest.push_back({rest.offset, {rest.bytes.begin(), rest.bytes.end()}});
  }
  outcome.synced = shared_.writer.synced();
  return outcome;
}

void DirectSink::write(u64 block, base::ByteView results, u32 /*crc*/, const Poll& poll) {
  const DirectOutcome outcome = DirectMessages::decode(results);
  if (outcome.rank >= waiting_.size())
    throw base::Error(base::ExitCode::internal, "a block came from rank " + std::to_string(outcome.rank));
  bytes_read_[outcome.rank] += outcome.bytes_read;
  tally_.add_read(outcome.bytes_read);
  if (tally_.add(block, outcome.flags, outcome.sums) && outcome.write) {
    for (const auto& rest : outcome.rest) file_.write_rest(rest.offset, rest.bytes, poll);
    waiting_[outcome.rank][*outcome.write] = {block, outcome.crc};
    tally_.add_written(plan_.range(block).size() * row_bytes_);
  }
  synced(outcome.rank, outcome.synced);
}

void DirectSink::synced(u64 rank, u64 writes) {
  auto& waiting = waiting_[rank];
  while (!waiting.empty() && waiting.begin()->first < writes) {
    const Written written = waiting.begin()->second;
    waiting.erase(waiting.begin());
    file_.written(written.block, written.crc);
  }
}

}  // namespace h5score::run

// What a rank tells the root of a block that it read, scored and wrote itself (`--io direct`): the engine's "results".
#pragma once

#include "h5score/storage/score_writer.hpp"

#include "tally.hpp"

#include <optional>
#include <vector>

namespace h5score::run {

using base::u32;

/// Bytes of results that the root has to write.
struct RestBytes {
  u64 offset = 0;  ///< in the part file
  base::Bytes bytes;
};

struct DirectOutcome {
  u64 rank = 0;
  std::optional<u64> write;  ///< number of the ScoreWriter's write; nullopt: the block was not to be written
  u64 synced = 0;            ///< ScoreWriter::synced() of this rank
  u32 crc = 0;               ///< of the results
  u64 bytes_read = 0;        ///< for this block
  BlockFlags flags;
  base::Bytes sums;  ///< of the block's features; empty where it is not sampled
  std::vector<RestBytes> rest;
};

template <class A>
void archive(A& ar, RestBytes& v) {
  ar(v.offset, v.bytes);
}
template <class A>
void archive(A& ar, DirectOutcome& v) {
  auto& rows = v.flags.rows;
  ar(v.rank, v.write, v.synced, v.crc, v.bytes_read, rows.any, rows.missing, rows.nonfinite, v.flags.first_missing,
     v.sums, v.rest);
}

/// Messages have a size that is known before the block is scored, as the engine asks: room for all they may hold.
class DirectMessages {
 public:
  /// `least`: of all ranks, the one that leaves most to the root. The others must outlive the object.
  DirectMessages(const ResultLayout& layout, const FeatureStatistics& statistics, const sched::BlockPlan& plan,
                 storage::Ownership least);

  [[nodiscard]] u64 bytes(u64 block) const;
  /// Fills the message; throws Error(internal) where it does not fit.
  static void encode(const DirectOutcome& outcome, std::span<std::byte> message);
  static DirectOutcome decode(base::ByteView message);

 private:
  const ResultLayout& layout_;
  const FeatureStatistics& statistics_;
  const sched::BlockPlan& plan_;
  storage::Ownership least_;
  u64 fixed_bytes_;
};

}  // namespace h5score::run

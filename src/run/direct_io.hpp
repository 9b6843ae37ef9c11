// `--io direct`: every rank reads the byte ranges of its blocks and writes their results itself. The root hands out
// assignments instead of payloads and books what the ranks tell it.
#pragma once

#include "h5score/storage/block_reader.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/score_file.hpp"
#include "h5score/storage/score_writer.hpp"

#include "direct_message.hpp"
#include "reading_scorer.hpp"

#include <map>
#include <string>
#include <vector>

namespace h5score::run {

/// Assignments of blocks.
class DirectSource final : public BlockSource {
 public:
  /// Both must outlive the source.
  DirectSource(storage::Input& input, const sched::BlockPlan& plan) : input_(input), plan_(plan) {}
  [[nodiscard]] u64 payload_bound(u64 block) const override { return input_.assignment_bound(plan_.range(block)); }
  void fetch(u64 block, base::AlignedBuffer& payload, const Poll& poll) override {
    input_.assign(plan_.range(block), payload, poll);
  }

 private:
  storage::Input& input_;
  const sched::BlockPlan& plan_;
};

/// What the lanes of one rank share.
struct DirectRank {
  const storage::Decoder& decoder;
  const std::vector<storage::FileIdentity>& files;
  const RowScorer& rows;
  const ResultLayout& layout;
  const FeatureStatistics& statistics;
  const sched::BlockPlan& plan;
  const DirectMessages& messages;
  storage::ScoreWriter& writer;
  u64 rank = 0;
  std::string host;                ///< empty on the root's
  bool leave_out_missing = false;  ///< blocks with missing values are not written
};

class DirectScorer final : public BlockScorer {
 public:
  /// What `shared` refers to must outlive the scorer.
  DirectScorer(const DirectRank& shared, u64 threads);

  [[nodiscard]] u64 result_bytes(u64 block) const override { return shared_.messages.bytes(block); }
  void score(u64 block, base::ByteView payload, std::span<std::byte> results, PhaseTimes& phases,
             const Poll& poll) override;
  /// Of results and whole payloads, the most so far.
  [[nodiscard]] u64 buffer_bytes() const { return results_.capacity() + reading_.buffer_bytes(); }

 private:
  /// Writes and tells.
  DirectOutcome deliver(u64 block, const Poll& poll);

  DirectRank shared_;
  ReadingScorer reading_;
  base::AlignedBuffer results_;
  BlockSums sums_;
  FlagCounter flags_;
  std::vector<storage::ScoreWriter::Rest> rest_;
  u64 bytes_read_ = 0;
};

class DirectSink final : public BlockSink {
 public:
  /// All must outlive the sink.
  DirectSink(storage::ScoreFile& file, Tally& tally, const sched::BlockPlan& plan, u64 row_bytes, u64 ranks)
      : file_(file), tally_(tally), plan_(plan), row_bytes_(row_bytes), waiting_(ranks), bytes_read_(ranks, 0) {}

  /// Books the block if it is durable, or as soon as its rank says so.
  void write(u64 block, base::ByteView results, u32 crc, const Poll& poll) override;
  /// A rank has synced all its writes below this number.
  void synced(u64 rank, u64 writes);
  /// Per rank.
  [[nodiscard]] const std::vector<u64>& bytes_read() const { return bytes_read_; }

 private:
  struct Written {
    u64 block = 0;
    u32 crc = 0;
  };
  storage::ScoreFile& file_;
  Tally& tally_;
  const sched::BlockPlan& plan_;
  u64 row_bytes_;
  std::vector<std::map<u64, Written>> waiting_;  ///< per rank, by number of the write
  std::vector<u64> bytes_read_;
};

}  // namespace h5score::run

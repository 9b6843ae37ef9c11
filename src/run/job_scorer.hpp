// Scores blocks that came as payloads: decodes them and evaluates all models on this lane's threads.
#pragma once

#include "h5score/base/thread_pool.hpp"
#include "h5score/run/engine.hpp"
#include "h5score/storage/decoder.hpp"

#include "row_scorer.hpp"

#include <vector>

namespace h5score::run {

/// Decodes and scores one payload at a time on one or several threads.
class PayloadScorer {
 public:
  /// `decoder` and `rows` must outlive the scorer.
  PayloadScorer(const storage::Decoder& decoder, const RowScorer& rows, u64 threads)
      : decoder_(decoder), rows_(rows), pool_(threads), scratch_(pool_.threads()) {}

  [[nodiscard]] u64 threads() const { return pool_.threads(); }
  /// Adds its times to decode and score. Throws Error(data) for corrupt payloads.
  void score(base::ByteView payload, const BlockPlace& place, PhaseTimes& phases, const Poll& poll);

 private:
  const storage::Decoder& decoder_;
  const RowScorer& rows_;
  base::ThreadPool pool_;
  std::vector<RowScorer::Scratch> scratch_;  ///< one per thread
  storage::DecodedBlock block_;
};

/// A block's results as they travel to the root: scores and behind them the sums of features.
class BlockResults {
 public:
  /// All must outlive it.
  BlockResults(const ResultLayout& layout, const FeatureStatistics& statistics, const sched::BlockPlan& plan)
      : layout_(layout), statistics_(statistics), plan_(plan) {}

  [[nodiscard]] u64 bytes(u64 block) const { return score_bytes(block) + statistics_.bytes(block); }
  [[nodiscard]] BlockPlace place(u64 block, std::span<std::byte> results, BlockSums& sums) const {
    return {results.first(score_bytes(block)), plan_.range(block).size(),
            statistics_.sample.takes_block(block) ? &sums : nullptr};
  }
  void add_sums(u64 block, std::span<std::byte> results, BlockSums& sums) const {
    if (statistics_.sample.takes_block(block)) sums.take(results.subspan(score_bytes(block)));
  }

 private:
  [[nodiscard]] u64 score_bytes(u64 block) const { return plan_.range(block).size() * layout_.row_bytes; }

  const ResultLayout& layout_;
  const FeatureStatistics& statistics_;
  const sched::BlockPlan& plan_;
};

/// `--io scatter`: the engine's scorer of payloads, whose results are all that it gives.
class JobScorer final : public BlockScorer {
 public:
  /// All must outlive the scorer.
  JobScorer(const storage::Decoder& decoder, const RowScorer& rows, const ResultLayout& layout,
            const FeatureStatistics& statistics, const sched::BlockPlan& plan, u64 threads)
      : results_(layout, statistics, plan), payloads_(decoder, rows, threads), sums_(statistics) {}

  [[nodiscard]] u64 result_bytes(u64 block) const override { return results_.bytes(block); }
  void score(u64 block, base::ByteView payload, std::span<std::byte> results, PhaseTimes& phases,
             const Poll& poll) override;

 private:
  BlockResults results_;
  PayloadScorer payloads_;
  BlockSums sums_;
};

}  // namespace h5score::run

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

/// `--io scatter`: the engine's scorer of payloads, whose results are all that it gives.
class JobScorer final : public BlockScorer {
 public:
  /// All must outlive the scorer.
  JobScorer(const storage::Decoder& decoder, const RowScorer& rows, const ResultLayout& layout,
            const FeatureStatistics& statistics, const sched::BlockPlan& plan, u64 threads)
      : layout_(layout), statistics_(statistics), plan_(plan), payloads_(decoder, rows, threads), sums_(statistics) {}

  /// Results and behind them the sums of features.
  [[nodiscard]] u64 result_bytes(u64 block) const override {
    return plan_.range(block).size() * layout_.row_bytes + statistics_.bytes(block);
  }
  void score(u64 block, base::ByteView payload, std::span<std::byte> results, PhaseTimes& phases,
             const Poll& poll) override;

 private:
  const ResultLayout& layout_;
  const FeatureStatistics& statistics_;
  const sched::BlockPlan& plan_;
  PayloadScorer payloads_;
  BlockSums sums_;
};

}  // namespace h5score::run

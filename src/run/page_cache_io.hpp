// `--io scatter` where all ranks are on one host and the input lies on its file systems: what the root would send lies
// in the page cache that they share, so it sends where, and gets the results as ever.
#pragma once

#include "direct_io.hpp"
#include "tally.hpp"

namespace h5score::run {

class PageCacheSource final : public BlockSource {
 public:
  /// All must outlive the source.
  PageCacheSource(storage::Input& input, const sched::BlockPlan& plan, Tally& tally)
      : input_(input), plan_(plan), tally_(tally) {}
  [[nodiscard]] u64 payload_bound(u64 block) const override { return input_.assignment_bound(plan_.range(block)); }
  void fetch(u64 block, base::AlignedBuffer& payload, const Poll& poll) override {
    input_.assign(plan_.range(block), payload, poll);
    tally_.add_read(input_.payload_bound(plan_.range(block)));  // for the progress; at the end the ranks say it exactly
  }

 private:
  storage::Input& input_;
  const sched::BlockPlan& plan_;
  Tally& tally_;
};

class PageCacheScorer final : public BlockScorer {
 public:
  /// All but `threads` must outlive the scorer.
  PageCacheScorer(const storage::Decoder& decoder, const RowScorer& rows,
                  const std::vector<storage::FileIdentity>& files, const ResultLayout& layout,
                  const FeatureStatistics& statistics, const sched::BlockPlan& plan, u64 threads)
      : results_(layout, statistics, plan), reading_(decoder, rows, files, {}, threads), sums_(statistics) {}

  [[nodiscard]] u64 result_bytes(u64 block) const override { return results_.bytes(block); }
  void score(u64 block, base::ByteView payload, std::span<std::byte> results, PhaseTimes& phases,
             const Poll& poll) override {
    reading_.score(payload, results_.place(block, results, sums_), phases, poll);
    results_.add_sums(block, results, sums_);
  }
  [[nodiscard]] u64 bytes_read() const { return reading_.bytes_read(); }

 private:
  BlockResults results_;
  ReadingScorer reading_;
  BlockSums sums_;
};

}  // namespace h5score::run

// Which rows of a run are looked at for its feature statistics, and the sums of blocks on their way to one total.
#pragma once

#include "h5score/model/feature_sums.hpp"
#include "h5score/sched/plan.hpp"

#include <map>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace h5score::run {

using base::u64;

/// Every n-th stretch of rows of every m-th block: chosen from counted costs, never timed, so that the sample is the
/// same on any number of ranks and threads.
struct FeatureSample {
  static constexpr u64 stretch_rows = 256;
  u64 block_step = 1;    ///< blocks 0, block_step, 2 block_step, ...
  u64 stretch_step = 1;  ///< of a sampled block the stretches 0, stretch_step, ...

  [[nodiscard]] bool takes_block(u64 block) const { return block % block_step == 0; }
  /// Rows of one block; `row` is counted from the block's first.
  [[nodiscard]] bool takes_row(u64 row) const { return row / stretch_rows % stretch_step == 0; }
};

/// A sample that costs about 1 % of a run: all rows where models are expensive or rows are few. `features` and
/// `flops_per_row` are those of all models together. Bounded too: the root's memory for sums, and their bytes.
FeatureSample plan_feature_sample(const sched::BlockPlan& plan, u64 features, double flops_per_row);

/// Bytes of one block's sums, for all models' features.
[[nodiscard]] inline u64 feature_bytes(u64 features) {
  return features * sizeof(model::FeatureSum);
}

/// What every rank knows of the statistics of a run.
struct FeatureStatistics {
  FeatureSample sample;
  std::vector<u64> features;                ///< per model
  std::vector<model::FeatureRange> ranges;  ///< per model

  [[nodiscard]] u64 all_features() const;
  /// Bytes of a block's sums, which follow its results: model after model; 0 where the sample leaves the block out.
  [[nodiscard]] u64 bytes(u64 block) const { return sample.takes_block(block) ? feature_bytes(all_features()) : 0; }
};

/// Takes the sums of blocks in any order; the total is that of a binary tree over the block numbers, whatever the order
/// of arrival. Neighbours are merged as soon as both are there.
class FeatureTree {
 public:
  using Sums = std::vector<model::FeatureSum>;
  /// Each block once.
  void add(u64 block, Sums sums);
  /// Of the blocks that came; empty if none did.
  [[nodiscard]] Sums total() const;

 private:
  std::map<std::pair<u64, u64>, Sums> nodes_;  ///< by level and number: node (l, i) holds blocks [i 2^l, (i + 1) 2^l)
};

/// The sums of one block while its rows are scored: stretches come in any order and from any thread, and the total is
/// the same bits.
class BlockSums {
 public:
  /// `statistics` must outlive the object.
  explicit BlockSums(const FeatureStatistics& statistics);
  /// A sampled stretch of the block, counted from its first row; each once per model.
  void add(u64 model, u64 stretch, std::span<const model::FeatureSum> sums);
  /// Puts the totals of all models, statistics.bytes() bytes, and starts anew.
  void take(std::span<std::byte> place);

  /// What a block takes at most, in bytes: each thread's unfinished stretch splits the trees in one place, so there is
  /// a node per level and thread, a thread's own sums and their copy on the way; the totals are made of copies.
  [[nodiscard]] static u64 most_bytes(u64 features, u64 block_rows, u64 threads);

 private:
  const FeatureStatistics& statistics_;
  std::mutex mutex_;
  std::vector<FeatureTree> trees_;  ///< per model, over the sampled stretches
};

}  // namespace h5score::run

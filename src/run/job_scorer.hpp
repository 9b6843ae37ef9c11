// Scores blocks: decodes a payload and evaluates all models tile by tile on this rank's threads.
#pragma once

#include "h5score/base/thread_pool.hpp"
#include "h5score/model/evaluator.hpp"
#include "h5score/run/engine.hpp"
#include "h5score/storage/decoder.hpp"

#include "result_layout.hpp"

#include <memory>
#include <vector>

namespace h5score::run {

class JobScorer final : public BlockScorer {
 public:
  using Evaluators = std::vector<std::unique_ptr<const model::Evaluator>>;

  /// `evaluators`, `layout` and `plan` must outlive the scorer.
  JobScorer(storage::RowFormat format, const Evaluators& evaluators, const ResultLayout& layout,
            const sched::BlockPlan& plan, u64 threads);

  [[nodiscard]] u64 result_bytes(u64 block) const override;
  /// Throws Error(data) for corrupt payloads.
  void score(u64 block, base::ByteView payload, std::span<std::byte> results, PhaseTimes& phases,
             const Poll& poll) override;

 private:
  /// Models whose input tiles are equal, so that rows are converted once for all of them.
  struct TileGroup {
    model::Precision precision = model::Precision::float64;
    u64 tile_rows = 0;
    u64 stride = 0;
    std::vector<u64> models;
  };
  /// What one thread needs; first touched by that thread.
  struct ThreadState {
    base::AlignedBuffer tile;
    std::vector<std::unique_ptr<model::Workspace>> workspaces;
    double convert_seconds = 0;
    double score_seconds = 0;
  };

  void decode(base::ByteView payload, const Poll& poll);
  void score_rows(base::RowRange rows, std::span<std::byte> results, ThreadState& state, const Poll& poll) const;
  void score_tile(const TileGroup& group, base::RowRange rows, std::span<std::byte> results, ThreadState& state,
                  const Poll& poll) const;
  [[nodiscard]] model::TileResults results_of(u64 model, u64 first_row, std::span<std::byte> results) const;
  void copy_passthrough(std::span<std::byte> results) const;

  storage::Decoder decoder_;
  const Evaluators& evaluators_;
  const ResultLayout& layout_;
  const sched::BlockPlan& plan_;
  std::vector<TileGroup> groups_;
  u64 item_rows_ = 0;  ///< rows per work item: a multiple of every tile height
  base::ThreadPool pool_;
  std::vector<ThreadState> threads_;
  storage::DecodedBlock block_;
};

}  // namespace h5score::run

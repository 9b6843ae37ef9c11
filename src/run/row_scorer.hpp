// Scores decoded rows with all models of a job: the part that every way of reading shares.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/model/evaluator.hpp"
#include "h5score/run/engine.hpp"
#include "h5score/storage/decoder.hpp"

#include "feature_sample.hpp"
#include "result_layout.hpp"

#include <memory>
#include <span>
#include <vector>

namespace h5score::run {

/// Where a block's results go.
struct BlockPlace {
  std::span<std::byte> results;  ///< rows x row_bytes, laid out by the ResultLayout
  u64 rows = 0;                  ///< of the block
  BlockSums* sums = nullptr;     ///< null: the block's features are not looked at
};

/// Rows that are decoded, as a part of their block.
struct DecodedRows {
  const storage::DecodedBlock& decoded;
  base::RowRange rows;  ///< of `decoded`
  u64 first_row = 0;    ///< of the block: its row that rows.begin is; a multiple of FeatureSample::stretch_rows
};

/// Immutable: one instance serves all threads, each with its own Scratch.
class RowScorer {
 public:
  using Evaluators = std::vector<std::unique_ptr<const model::Evaluator>>;

  /// What one thread needs; first touched by that thread.
  class Scratch {
   public:
    /// Seconds spent on converting and on evaluating since the last call.
    struct Times {
      double convert = 0;
      double evaluate = 0;
    };
    Times take_times() { return std::exchange(times_, {}); }

   private:
    friend class RowScorer;
    base::AlignedBuffer tile_;
    std::vector<const std::byte*> columns_;  ///< of the block
    std::vector<model::FeatureSums> sums_;   ///< of the stretch at hand, one per model
    std::vector<std::unique_ptr<model::Workspace>> workspaces_;
    Times times_;
  };

  /// `bindings`: for each evaluator, which of the format's feeds it. The others must outlive the scorer.
  RowScorer(const Evaluators& evaluators, const std::vector<u64>& bindings, const ResultLayout& layout,
            const FeatureStatistics& statistics);

  /// Scores the rows with all models and copies their passthrough columns. Rows are evaluated where they lie if they
  /// may, else in tiles. Different rows of one block may be scored at the same time.
  void score(const DecodedRows& rows, const BlockPlace& place, Scratch& scratch, const Poll& poll) const;

  /// Rows that are worth a thread's while, a multiple of FeatureSample::stretch_rows, and stay in its L2 cache.
  [[nodiscard]] u64 item_rows() const { return item_rows_; }

 private:
  /// Models that read the same binding in the same precision: their rows are converted once.
  struct Group {
    u64 binding = 0;
    model::Precision precision = model::Precision::float64;
    u64 tile_rows = 0;  ///< of the highest tile
    u64 stride = 0;
    std::vector<u64> models;
  };
  struct Column {
    std::byte* model::TileResults::*place;
    u64 offset = 0;  ///< bytes per row of the columns in front of it
    u64 row_bytes = 0;
  };

  template <class T>
  void score_group(const Group& group, const DecodedRows& rows, const BlockPlace& place, Scratch& scratch,
                   const Poll& poll) const;
  template <class T>
  void score_tiles(const Group& group, const DecodedRows& rows, const BlockPlace& place, Scratch& scratch,
                   const Poll& poll) const;
  template <class T>
  void score_columns(const Group& group, const DecodedRows& rows, const BlockPlace& place, Scratch& scratch,
                     const Poll& poll) const;
  void evaluate(const Group& group, const std::byte* rows, u64 stride, base::RowRange range, const BlockPlace& place,
                Scratch& scratch, const Poll& poll) const;
  [[nodiscard]] model::TileResults results_of(u64 model, const BlockPlace& place, u64 first_row) const;
  template <class T>
  void sum_tile(const Group& group, const T* rows, u64 stride, base::RowRange range, const BlockPlace& place,
                Scratch& scratch) const;
  void copy_passthrough(const DecodedRows& rows, const BlockPlace& place) const;

  const Evaluators& evaluators_;
  const ResultLayout& layout_;
  const FeatureStatistics& statistics_;
  std::vector<Group> groups_;
  std::vector<std::vector<Column>> columns_;  ///< of results, per model
  u64 item_rows_ = 0;
};

}  // namespace h5score::run

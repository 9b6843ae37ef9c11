// Which results a job writes and where each lies in a block's result bytes: column after column, each rows x row_bytes.
// Columns are ordered by falling element size, so that each begins aligned for its type whatever the number of rows.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/model/evaluator.hpp"

#include <string>
#include <vector>

namespace h5score::run {

using base::u64;

/// One result dataset of the score file.
struct ResultSlot {
  static constexpr u64 no_model = ~u64{0};
  u64 model = no_model;  ///< index into the job's models; no_model: a passthrough column
  u64 passthrough = 0;   ///< index into the job's passthrough columns, where model == no_model
  model::ResultKind kind = model::ResultKind::status;
  base::ElementType type;
  u64 width = 1;        ///< elements per row
  bool matrix = false;  ///< n x width even where width is 1
  [[nodiscard]] u64 row_bytes() const { return width * type.size; }
};

struct ResultLayout {
  std::vector<ResultSlot> slots;
  u64 row_bytes = 0;

  /// Offset of slot i's bytes in the results of a block of `rows` rows.
  [[nodiscard]] u64 offset(u64 slot, u64 rows) const;
};

/// A passthrough column as the layout needs it.
struct PassthroughShape {
  base::ElementType type;
  u64 width = 1;
  bool matrix = false;
};

/// Slots of all models' wanted columns and of the passthrough columns. `wanted`: names of ResultKind, empty = all that
/// each model gives; /status is always written. Throws Error(usage) naming the model and what it can give when a wanted
/// column is given by none of the models.
ResultLayout make_result_layout(const std::vector<std::vector<model::ResultColumn>>& models,
                                const std::vector<std::string>& wanted,
                                const std::vector<PassthroughShape>& passthrough);

}  // namespace h5score::run

// Which memory each step of a compiled graph reads and writes: few buffers, reused as soon as nobody needs their
// content.
#pragma once

#include "h5score/base/types.hpp"

#include <optional>
#include <span>
#include <vector>

namespace h5score::model {

using base::u64;

/// What a step needs. Nodes: 0 = the features, i + 1 = what step i gives.
struct StepShape {
  std::vector<u64> inputs;  ///< nodes
  u64 width = 0;            ///< columns that it gives
  bool in_place = false;    ///< it overwrites its first input with its output, of the same width
  bool spoils = false;      ///< not in place, but its first input is spoilt
};

/// The buffers that a step works on.
struct StepBuffers {
  std::vector<u64> inputs;          ///< one per input
  u64 output = 0;                   ///< inputs[0] for steps in place
  std::optional<u64> copied_first;  ///< buffer whose content is first copied to inputs[0], because others still need it
};

struct BufferPlan {
  std::vector<StepBuffers> steps;
  std::vector<u64> widths;  ///< columns of each buffer; the features are in buffer 0
  u64 output = 0;           ///< the buffer that holds node `output` in the end
  u64 columns_at_once = 0;  ///< the most that any step has before it and makes
};

/// `features`: width of node 0.
BufferPlan plan_buffers(u64 features, std::span<const StepShape> steps, u64 output);

}  // namespace h5score::model

// Linear scan over the steps, as register allocators do it; the best fitting free buffer is taken.
#include "buffer_plan.hpp"

#include <algorithm>

namespace h5score::model {
namespace {

class Planner {
 public:
  Planner(u64 features, std::span<const StepShape> steps, u64 output) : steps_(steps), last_reader_(steps.size() + 1) {
    for (u64 i = 0; i < steps.size(); ++i)
      for (const u64 node : steps[i].inputs) last_reader_[node] = i;
    last_reader_[output] = steps.size();  // the head
    node_widths_ = {features};
    for (const StepShape& step : steps) node_widths_.push_back(step.width);
    buffer_of_.resize(steps.size() + 1);
    buffer_of_[0] = take(features);
    plan_.columns_at_once = features;
  }

  BufferPlan run(u64 output) {
    for (u64 i = 0; i < steps_.size(); ++i) plan_.steps.push_back(place(i));
    plan_.output = buffer_of_[output];
    return std::move(plan_);
  }

 private:
  StepBuffers place(u64 i) {
    const StepShape& step = steps_[i];
    const u64 first = step.inputs[0];
    const bool first_is_free =
        last_reader_[first] == i && std::count(step.inputs.begin(), step.inputs.end(), first) == 1;
    StepBuffers buffers;
    for (const u64 node : step.inputs) buffers.inputs.push_back(buffer_of_[node]);
    if ((step.in_place || step.spoils) && !first_is_free) {
      buffers.copied_first = buffers.inputs[0];
      buffers.inputs[0] = take(node_widths_[first]);
    }
    plan_.columns_at_once =
        std::max(plan_.columns_at_once, in_use_ + (buffers.copied_first && step.in_place ? 0 : step.width));
    buffers.output = step.in_place ? buffers.inputs[0] : take(step.width);
    if (buffers.copied_first && !step.in_place) release(buffers.inputs[0], node_widths_[first]);
    for (const u64 node : step.inputs)
      if (last_reader_[node] == i && buffer_of_[node] != buffers.output) release(buffer_of_[node], node_widths_[node]);
    buffer_of_[i + 1] = buffers.output;
    return buffers;
  }

  /// The narrowest free buffer that is wide enough, else the widest one, made wider, else a new one.
  u64 take(u64 width) {
    in_use_ += width;
    std::optional<u64> best;
    for (u64 b = 0; b < plan_.widths.size(); ++b)
      if (free_[b] && (!best || better(plan_.widths[b], plan_.widths[*best], width))) best = b;
    if (!best) {
      best = plan_.widths.size();
      plan_.widths.push_back(0);
      free_.push_back(true);
    }
    free_[*best] = false;
    plan_.widths[*best] = std::max(plan_.widths[*best], width);
    return *best;
  }
  static bool better(u64 candidate, u64 best, u64 width) {
    if (best < width) return candidate > best;
    return candidate >= width && candidate < best;
  }
  void release(u64 buffer, u64 width) {
    if (free_[buffer]) return;  // a node that a step reads twice
    free_[buffer] = true;
    in_use_ -= width;
  }

  std::span<const StepShape> steps_;
  std::vector<u64> last_reader_;  ///< step that reads a node last
  std::vector<u64> node_widths_;
  std::vector<u64> buffer_of_;  ///< of each node
  std::vector<bool> free_;
  u64 in_use_ = 0;  ///< columns
  BufferPlan plan_;
};

}  // namespace

BufferPlan plan_buffers(u64 features, std::span<const StepShape> steps, u64 output) {
  return Planner(features, steps, output).run(output);
}

}  // namespace h5score::model

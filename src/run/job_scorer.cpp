// Decoding, tiling and evaluation of one block on all threads of a rank.
#include "job_scorer.hpp"

#include "h5score/base/error.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace h5score::run {
namespace {

constexpr u64 largest_tile = 256;
// Work of one item: large enough to make handing it out free, small enough to spread a block over the threads.
constexpr double item_flops = 2e6;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

u64 element_size(model::Precision precision) {
  return precision == model::Precision::float32 ? 4 : 8;
}

void fill(const storage::DecodedBlock& block, base::RowRange rows, model::Precision precision, u64 stride,
          std::byte* tile) {
  if (precision == model::Precision::float32)
    block.fill_tile(rows.begin, rows.size(), reinterpret_cast<float*>(tile), stride);
  else
    block.fill_tile(rows.begin, rows.size(), reinterpret_cast<double*>(tile), stride);
}

}  // namespace

JobScorer::JobScorer(storage::RowFormat format, const Evaluators& evaluators, const ResultLayout& layout,
                     const sched::BlockPlan& plan, u64 threads)
    : decoder_(std::move(format)),
      evaluators_(evaluators),
      layout_(layout),
      plan_(plan),
      pool_(threads),
      threads_(threads) {
  double flops = 0;
  for (u64 m = 0; m < evaluators.size(); ++m) {
    const auto& e = *evaluators[m];
    flops += e.flops_per_row() + 4 * static_cast<double>(e.features());
    const auto same = [&](const TileGroup& g) {
      return g.precision == e.precision() && g.tile_rows == e.tile_rows() && g.stride == e.input_stride();
    };
    auto group = std::find_if(groups_.begin(), groups_.end(), same);
    if (group == groups_.end())
      group = groups_.insert(
          group, {.precision = e.precision(), .tile_rows = e.tile_rows(), .stride = e.input_stride(), .models = {}});
    group->models.push_back(m);
  }
  const double tiles = std::clamp(item_flops / (flops * largest_tile), 1.0, 64.0);
  item_rows_ = largest_tile * static_cast<u64>(tiles);
}

u64 JobScorer::result_bytes(u64 block) const {
  return plan_.range(block).size() * layout_.row_bytes;
}

void JobScorer::score(u64 block, base::ByteView payload, std::span<std::byte> results, PhaseTimes& phases,
                      const Poll& poll) {
  const double start = now();
  decode(payload, poll);
  const u64 rows = block_.rows();
  if (rows != plan_.range(block).size())
    throw base::Error(base::ExitCode::internal, "a payload holds other rows than its block");
  const double decoded = now();

  pool_.run((rows + item_rows_ - 1) / item_rows_,
            [&](u64 item, u64 thread) {
              const base::RowRange range{item * item_rows_, std::min(rows, (item + 1) * item_rows_)};
              static const Poll no_poll = [] {};
              score_rows(range, results, threads_[thread], thread == 0 ? poll : no_poll);
            },
            poll);
  copy_passthrough(results);

  // Conversion to the model's type happens tile by tile, but it is decoding: its share of the threads' time goes there.
  double convert = 0;
  double evaluate = 0;
  for (auto& state : threads_) {
    convert += std::exchange(state.convert_seconds, 0);
    evaluate += std::exchange(state.score_seconds, 0);
  }
  const double loop = now() - decoded;
  const double converting = convert + evaluate > 0 ? loop * convert / (convert + evaluate) : 0;
  phases.decode += decoded - start + converting;
  phases.score += loop - converting;
}

void JobScorer::decode(base::ByteView payload, const Poll& poll) {
  const u64 tasks = decoder_.tasks(payload, block_);
  pool_.run(
      tasks, [this](u64 task, u64) { decoder_.decode(task, block_); }, poll);
}

void JobScorer::score_rows(base::RowRange rows, std::span<std::byte> results, ThreadState& state,
                           const Poll& poll) const {
  if (state.workspaces.empty())
    for (const auto& evaluator : evaluators_) state.workspaces.push_back(evaluator->make_workspace());
  for (const auto& group : groups_)
    for (u64 first = rows.begin; first < rows.end; first += group.tile_rows)
      score_tile(group, {first, std::min(rows.end, first + group.tile_rows)}, results, state, poll);
}

void JobScorer::score_tile(const TileGroup& group, base::RowRange rows, std::span<std::byte> results,
                           ThreadState& state, const Poll& poll) const {
  const double start = now();
  const u64 row_bytes = group.stride * element_size(group.precision);
  state.tile.resize(group.tile_rows * row_bytes);
  fill(block_, rows, group.precision, group.stride, state.tile.data());
  std::memset(state.tile.data() + rows.size() * row_bytes, 0, (group.tile_rows - rows.size()) * row_bytes);
  const double converted = now();
  for (const u64 m : group.models)
    evaluators_[m]->score(state.tile.data(), rows.size(), *state.workspaces[m], results_of(m, rows.begin, results),
                          poll);
  state.convert_seconds += converted - start;
  state.score_seconds += now() - converted;
}

model::TileResults JobScorer::results_of(u64 model, u64 first_row, std::span<std::byte> results) const {
  model::TileResults tile;
  for (u64 i = 0; i < layout_.slots.size(); ++i) {
    const auto& slot = layout_.slots[i];
    if (slot.model != model) continue;
    std::byte* const place = results.data() + layout_.offset(i, block_.rows()) + first_row * slot.row_bytes();
    switch (slot.kind) {
      case model::ResultKind::prediction:
        tile.prediction = place;
        break;
      case model::ResultKind::label:
        tile.label = place;
        break;
      case model::ResultKind::probability:
        tile.probability = place;
        break;
      case model::ResultKind::decision:
        tile.decision = place;
        break;
      case model::ResultKind::status:
        tile.status = place;
        break;
    }
  }
  return tile;
}

void JobScorer::copy_passthrough(std::span<std::byte> results) const {
  for (u64 i = 0; i < layout_.slots.size(); ++i) {
    const auto& slot = layout_.slots[i];
    if (slot.model != ResultSlot::no_model) continue;
    const auto bytes = block_.passthrough(slot.passthrough);
    if (!bytes.empty()) std::memcpy(results.data() + layout_.offset(i, block_.rows()), bytes.data(), bytes.size());
  }
}

}  // namespace h5score::run

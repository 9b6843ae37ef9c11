// Evaluation of rows in place or tile by tile, and the sums of their features.
#include "row_scorer.hpp"

#include "h5score/base/error.hpp"

#include "clock.hpp"

#include <algorithm>
#include <cstring>

namespace h5score::run {
namespace {

constexpr u64 stretch_rows = FeatureSample::stretch_rows;
// Work of one item: large enough to make handing it out free, small enough to spread a block over threads.
constexpr double item_flops = 2e6;
constexpr double item_bytes = 512.0 * 1024;

std::byte* model::TileResults::*place_of(model::ResultKind kind) {
  using model::ResultKind;
  using model::TileResults;
  switch (kind) {
    case ResultKind::prediction:
      return &TileResults::prediction;
    case ResultKind::label:
      return &TileResults::label;
    case ResultKind::probability:
      return &TileResults::probability;
    case ResultKind::decision:
      return &TileResults::decision;
    case ResultKind::status:
      return &TileResults::status;
  }
  throw base::Error(base::ExitCode::internal, "a result of no kind");
}

}  // namespace

RowScorer::RowScorer(const Evaluators& evaluators, const std::vector<u64>& bindings, const ResultLayout& layout,
                     const FeatureStatistics& statistics)
    : evaluators_(evaluators), layout_(layout), statistics_(statistics), columns_(evaluators.size()) {
  double flops = 0;
  double bytes = 1;
  for (u64 m = 0; m < evaluators.size(); ++m) {
    const auto& e = *evaluators[m];
    flops += e.flops_per_row() + 4 * static_cast<double>(e.features());
    const u64 element = e.precision() == model::Precision::float32 ? sizeof(float) : sizeof(double);
    bytes = std::max(bytes, static_cast<double>(e.input_stride() * element));
    auto group = std::find_if(groups_.begin(), groups_.end(),
                              [&](const Group& g) { return g.binding == bindings[m] && g.precision == e.precision(); });
    if (group == groups_.end())
      group = groups_.insert(group, {.binding = bindings[m], .precision = e.precision(), .models = {}});
    group->tile_rows = std::max(group->tile_rows, e.tile_rows());
    group->stride = std::max(group->stride, e.input_stride());
    group->models.push_back(m);
  }
  u64 offset = 0;
  for (const auto& slot : layout.slots) {
    if (slot.model != ResultSlot::no_model)
      columns_[slot.model].push_back({place_of(slot.kind), offset, slot.row_bytes()});
    offset += slot.row_bytes();
  }
  const double rows = std::min(item_flops / flops, item_bytes / bytes);
  item_rows_ = stretch_rows * static_cast<u64>(std::clamp(rows / stretch_rows, 1.0, 64.0));
}

void RowScorer::score(const DecodedRows& rows, const BlockPlace& place, Scratch& scratch, const Poll& poll) const {
  if (scratch.workspaces_.empty()) {
    for (const auto& evaluator : evaluators_) scratch.workspaces_.push_back(evaluator->make_workspace());
    for (const u64 features : statistics_.features) scratch.sums_.emplace_back(features);
  }
  for (const auto& group : groups_)
    if (group.precision == model::Precision::float32)
      score_group<float>(group, rows, place, scratch, poll);
    else
      score_group<double>(group, rows, place, scratch, poll);
  copy_passthrough(rows, place);
}

template <class T>
void RowScorer::score_group(const Group& group, const DecodedRows& rows, const BlockPlace& place, Scratch& scratch,
                            const Poll& poll) const {
  const auto lying = rows.decoded.in_place<T>(group.binding);
  if (lying.first == nullptr) {
    if (rows.decoded.columns_in_place<T>(group.binding, scratch.columns_))
      return score_columns<T>(group, rows, place, scratch, poll);
    return score_tiles<T>(group, rows, place, scratch, poll);
  }
  const double start = now();
  const T* const first = lying.first + rows.rows.begin * lying.stride;
  const base::RowRange all{rows.first_row, rows.first_row + rows.rows.size()};
  evaluate(group, reinterpret_cast<const std::byte*>(first), lying.stride, all, place, scratch, poll);
  if (place.sums != nullptr)
    for (u64 row = all.begin; row < all.end; row += group.tile_rows)
      sum_tile(group, first + (row - all.begin) * lying.stride, lying.stride,
               {row, std::min(all.end, row + group.tile_rows)}, place, scratch);
  scratch.times_.evaluate += now() - start;
}

template <class T>
void RowScorer::score_columns(const Group& group, const DecodedRows& rows, const BlockPlace& place, Scratch& scratch,
                              const Poll& poll) const {
  const double start = now();
  for (const u64 m : group.models)
    evaluators_[m]->score_columns(scratch.columns_.data(), rows.rows.begin, rows.rows.size(), *scratch.workspaces_[m],
                                  results_of(m, place, rows.first_row), poll);
  if (place.sums != nullptr) {
    scratch.tile_.resize(group.tile_rows * group.stride * sizeof(T));
    T* const tile = scratch.tile_.as<T>();
    for (u64 done = 0; done < rows.rows.size(); done += group.tile_rows) {
      const u64 count = std::min(group.tile_rows, rows.rows.size() - done);
      const base::RowRange range{rows.first_row + done, rows.first_row + done + count};
      if (!statistics_.sample.takes_row(range.begin)) continue;
      rows.decoded.fill_tile(group.binding, rows.rows.begin + done, count, tile, group.stride);
      sum_tile(group, tile, group.stride, range, place, scratch);
    }
  }
  scratch.times_.evaluate += now() - start;
}

// The first tile's time tells how the whole is divided between converting and evaluating: a look at the clock for each
// tile would cost a linear model several per cent.
template <class T>
void RowScorer::score_tiles(const Group& group, const DecodedRows& rows, const BlockPlace& place, Scratch& scratch,
                            const Poll& poll) const {
  scratch.tile_.resize(group.tile_rows * group.stride * sizeof(T));
  T* const tile = scratch.tile_.as<T>();
  const double start = now();
  double converted = start;
  double evaluated = start;
  for (u64 done = 0; done < rows.rows.size(); done += group.tile_rows) {
    const u64 count = std::min(group.tile_rows, rows.rows.size() - done);
    const base::RowRange range{rows.first_row + done, rows.first_row + done + count};
    rows.decoded.fill_tile(group.binding, rows.rows.begin + done, count, tile, group.stride);
    if (done == 0) converted = now();
    evaluate(group, reinterpret_cast<const std::byte*>(tile), group.stride, range, place, scratch, poll);
    if (place.sums != nullptr) sum_tile(group, tile, group.stride, range, place, scratch);
    if (done == 0) evaluated = now();
  }
  const double all = now() - start;
  const double convert = evaluated > start ? all * (converted - start) / (evaluated - start) : 0;
  scratch.times_.convert += convert;
  scratch.times_.evaluate += all - convert;
}

void RowScorer::evaluate(const Group& group, const std::byte* rows, u64 stride, base::RowRange range,
                         const BlockPlace& place, Scratch& scratch, const Poll& poll) const {
  for (const u64 m : group.models)
    evaluators_[m]->score(rows, stride, range.size(), *scratch.workspaces_[m], results_of(m, place, range.begin), poll);
}

model::TileResults RowScorer::results_of(u64 model, const BlockPlace& place, u64 first_row) const {
  model::TileResults results;
  for (const Column& column : columns_[model])
    results.*column.place = place.results.data() + column.offset * place.rows + first_row * column.row_bytes;
  return results;
}

// Tiles are summed as high as the group's wherever the rows lie, so that the sums are the same bits.
template <class T>
void RowScorer::sum_tile(const Group& group, const T* rows, u64 stride, base::RowRange range, const BlockPlace& place,
                         Scratch& scratch) const {
  if (!statistics_.sample.takes_row(range.begin)) return;
  const bool ends_stretch = range.end % stretch_rows == 0 || range.end == place.rows;
  for (const u64 m : group.models) {
    scratch.sums_[m].add(rows, stride, range.size(), statistics_.ranges[m]);
    if (!ends_stretch) continue;
    place.sums->add(m, range.begin / stretch_rows, scratch.sums_[m].sums());
    scratch.sums_[m].clear();
  }
}

void RowScorer::copy_passthrough(const DecodedRows& rows, const BlockPlace& place) const {
  u64 offset = 0;
  for (const auto& slot : layout_.slots) {
    const u64 row_bytes = slot.row_bytes();
    if (slot.model == ResultSlot::no_model && row_bytes != 0)
      std::memcpy(place.results.data() + offset * place.rows + rows.first_row * row_bytes,
                  rows.decoded.passthrough(slot.passthrough).data() + rows.rows.begin * row_bytes,
                  rows.rows.size() * row_bytes);
    offset += row_bytes;
  }
}

}  // namespace h5score::run

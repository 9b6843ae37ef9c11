// The sample's size, and the tree of sums.
#include "feature_sample.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <utility>

namespace h5score::run {
namespace {

// Costs in nanoseconds of one fast core: summing a value, one feature's sum of a block (merge, send, check), and what a
// run does with a value besides the model (read, convert, move); and the speed of a model's operations. The model's
// part is taken at its fastest (matrix products in float32 with AVX-512), so that the share errs to the low side.
constexpr double sum_ns = 1.5;
constexpr double block_ns = 30;
constexpr double handling_ns = 1;
constexpr double flops_per_ns = 300;
constexpr double share = 0.01;
// Values that are always looked at: about a millisecond.
constexpr double least_values = 1e6;
// Sums that the root holds at most, were all of them to wait for a neighbour.
constexpr double most_bytes = 256.0 * 1024 * 1024;

u64 ceil_div(u64 a, u64 b) {
  return a / b + (a % b != 0 ? 1 : 0);
}

void merge_into(FeatureTree::Sums& left, const FeatureTree::Sums& right) {
  for (u64 i = 0; i < left.size(); ++i) left[i].merge(right[i]);
}

}  // namespace

FeatureSample plan_feature_sample(const sched::BlockPlan& plan, u64 features, double flops_per_row) {
  FeatureSample sample;
  if (plan.rows() == 0 || features == 0) return sample;
  const double width = static_cast<double>(features);
  const double rows = static_cast<double>(plan.rows());
  const double rows_per_block = rows / static_cast<double>(plan.blocks());
  const double cost = sum_ns + block_ns / rows_per_block;
  const double run = flops_per_row / width / flops_per_ns + handling_ns;
  const double affordable = std::max(run * share / cost, least_values / (rows * width));
  const u64 step = affordable >= 1 ? 1 : static_cast<u64>(std::ceil(1 / affordable));

  const u64 stretches = ceil_div(plan.rows(), plan.blocks() * FeatureSample::stretch_rows);
  const double all_bytes = static_cast<double>(plan.blocks()) * static_cast<double>(feature_bytes(features));
  const u64 for_memory = std::max<u64>(1, static_cast<u64>(std::ceil(all_bytes / most_bytes)));
  sample.block_step = std::max({for_memory, ceil_div(step, stretches), u64{1}});
  sample.stretch_step = ceil_div(step, sample.block_step);
  return sample;
}

u64 FeatureStatistics::all_features() const {
  return std::accumulate(features.begin(), features.end(), u64{0});
}

void FeatureTree::add(u64 block, Sums sums) {
  std::pair<u64, u64> place{0, block};
  for (auto sibling = nodes_.find({0, block ^ 1U}); sibling != nodes_.end();
       sibling = nodes_.find({place.first, place.second ^ 1U})) {
    if (place.second % 2 == 0) {
      merge_into(sums, sibling->second);
    } else {
      std::swap(sums, sibling->second);
      merge_into(sums, sibling->second);
    }
    nodes_.erase(sibling);
    place = {place.first + 1, place.second / 2};
  }
  nodes_.emplace(place, std::move(sums));
}

FeatureTree::Sums FeatureTree::total() const {
  // What has no neighbour yet climbs alone, so that a run of some of the blocks has one total, too.
  auto nodes = nodes_;
  while (nodes.size() > 1) {
    auto node = nodes.extract(nodes.begin());
    auto [level, number] = node.key();
    auto sums = std::move(node.mapped());
    if (const auto sibling = nodes.find({level, number ^ 1U}); sibling != nodes.end()) {
      merge_into(sums, sibling->second);  // the lowest comes first, so it is the left one
      nodes.erase(sibling);
    }
    nodes.emplace(std::pair{level + 1, number / 2}, std::move(sums));
  }
  return nodes.empty() ? Sums{} : std::move(nodes.begin()->second);
}

BlockSums::BlockSums(const FeatureStatistics& statistics)
    : statistics_(statistics), trees_(statistics.features.size()) {}

void BlockSums::add(u64 model, u64 stretch, std::span<const model::FeatureSum> sums) {
  FeatureTree::Sums copy(sums.begin(), sums.end());
  const std::lock_guard lock(mutex_);
  trees_[model].add(stretch / statistics_.sample.stretch_step, std::move(copy));
}

void BlockSums::take(std::span<std::byte> place) {
  for (auto& tree : trees_) {
    const auto total = std::exchange(tree, {}).total();
    const auto bytes = std::as_bytes(std::span(total));
    std::copy(bytes.begin(), bytes.end(), place.begin());
    place = place.subspan(bytes.size());
  }
}

u64 BlockSums::most_bytes(u64 features, u64 block_rows, u64 threads) {
  const u64 levels = static_cast<u64>(std::bit_width(block_rows / FeatureSample::stretch_rows + 1));
  return feature_bytes(features) * (threads * (levels + 2) + levels);
}

}  // namespace h5score::run

// Reads a few rows here and there.
#include "dry_run_features.hpp"

#include "h5score/storage/decoder.hpp"

#include <algorithm>
#include <chrono>

namespace h5score::run {
namespace {

constexpr u64 most_rows = 10'000;
constexpr u64 most_values = 20'000'000;
constexpr u64 most_places = 40;
constexpr std::chrono::seconds most_time(2);

// 0, n/2, n/4, 3n/4, ...: whenever it ends, what was seen is spread.
std::vector<u64> spread(u64 n) {
  std::vector<u64> order;
  std::vector<bool> taken(n, false);
  for (u64 parts = 1; order.size() < n; parts *= 2)
    for (u64 i = 0; i < parts; ++i)
      if (const u64 at = i * n / parts; !taken[at]) {
        taken[at] = true;
        order.push_back(at);
      }
  return order;
}

}  // namespace

FeatureLook look_at_features(PreparedJob& job, const sched::BlockPlan& plan) {
  FeatureLook look;
  const auto& models = job.setup.models;
  std::vector<model::FeatureSums> sums;
  std::vector<model::FeatureRange> ranges;
  u64 width = 1;
  for (const auto& m : models) {
    sums.emplace_back(m.model.n_features);
    ranges.push_back(model::feature_range(m.model));
    width += m.model.n_features;
  }
  const u64 places = std::min(plan.blocks(), most_places);
  const u64 rows_each = places == 0 ? 0 : std::max<u64>(1, std::min(most_rows, most_values / width) / places);
  const auto end = std::chrono::steady_clock::now() + most_time;
  const storage::Decoder decoder(job.input->format());
  storage::DecodedBlock block;
  base::AlignedBuffer payload;
  std::vector<double> values;
  for (const u64 place : spread(places)) {
    const auto range = plan.range(place * plan.blocks() / places);
    const u64 rows = std::min(rows_each, range.size());
    job.input->fetch({range.begin, range.begin + rows}, payload);
    decoder.open(payload.view(), block);
    for (u64 m = 0; m < models.size(); ++m) {
      const u64 features = models[m].model.n_features;
      values.resize(rows * features);
      block.fill_tile(models[m].binding, 0, rows, values.data(), features);
      sums[m].add(values.data(), features, rows, ranges[m]);
    }
    look.rows += rows;
    if (std::chrono::steady_clock::now() > end) break;
  }
  for (const auto& sum : sums) look.sums.emplace_back(sum.sums().begin(), sum.sums().end());
  return look;
}

}  // namespace h5score::run

// A look at features before a run: a sample of rows, spread over the input.
#pragma once

#include "h5score/model/feature_sums.hpp"
#include "h5score/sched/plan.hpp"

#include "job_setup.hpp"

#include <vector>

namespace h5score::run {

struct FeatureLook {
  u64 rows = 0;
  std::vector<std::vector<model::FeatureSum>> sums;  ///< per model
};
/// The first rows of up to 40 blocks that are spread evenly, 10,000 rows in all and fewer where they are wide; ends
/// after two seconds with what it has.
FeatureLook look_at_features(PreparedJob& job, const sched::BlockPlan& plan);

}  // namespace h5score::run

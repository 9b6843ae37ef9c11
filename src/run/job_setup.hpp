// What all ranks must know before the first block: made by the root, broadcast once.
#pragma once

#include "h5score/model/model.hpp"
#include "h5score/run/score_job.hpp"
#include "h5score/sched/plan.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/layout.hpp"

#include <memory>
#include <string>
#include <vector>

namespace h5score::run {

/// A model under the name that its results get.
struct JobModel {
  std::string name;  ///< empty: root group
  std::string path;
  model::Model model;
};

struct JobSetup {
  std::vector<JobModel> models;
  storage::RowFormat format;
};

template <class A>
void archive(A& ar, JobModel& v) {
  ar(v.name, v.path, v.model);
}
template <class A>
void archive(A& ar, JobSetup& v) {
  ar(v.models, v.format);
}

/// Root only: the input and what the others need of it.
struct PreparedJob {
  JobSetup setup;
  std::unique_ptr<storage::Input> input;
};

/// Root only: loads the models and opens the input through the name node, and checks that they fit each other.
/// Throws Error naming the file and, for a mismatch of feature counts, both numbers.
PreparedJob prepare_job(h5::Sandbox& name_node, const ScoreOptions& options);

/// The block plan of the input's rows for these evaluators' cost.
sched::BlockPlan plan_blocks(const storage::Input& input, double flops_per_row, u64 result_row_bytes,
                             const ScoreOptions& options);

}  // namespace h5score::run

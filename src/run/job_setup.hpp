// What all ranks must know before the first block: made by the root, broadcast once.
#pragma once

#include "h5score/model/model.hpp"
#include "h5score/run/score_job.hpp"
#include "h5score/sched/plan.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/layout.hpp"

#include "binding.hpp"
#include "io_choice.hpp"
#include "result_layout.hpp"

#include <memory>
#include <string>
#include <vector>

namespace h5score::run {

/// A model under the name that its results get.
struct JobModel {
  std::string name;  ///< empty: root group
  std::string path;
  model::Model model;  ///< as it is scored: with the stages that fill missing values
  std::string hash;    ///< of the model as its file has it
  u64 binding = 0;     ///< index into RowFormat::bindings
};

struct JobSetup {
  std::vector<JobModel> models;
  storage::RowFormat format;
};

template <class A>
void archive(A& ar, JobModel& v) {
  ar(v.name, v.path, v.model, v.hash, v.binding);
}
template <class A>
void archive(A& ar, JobSetup& v) {
  ar(v.models, v.format);
}

/// Root only: the input and what the others need of it.
struct PreparedJob {
  JobSetup setup;
  std::unique_ptr<storage::Input> input;
  std::vector<BoundModel> bound;   ///< one per model
  std::vector<std::string> notes;  ///< what is done to columns, whichever model reads them
};

/// Root only: loads the models, opens the input through the name node, binds every model to it and prepares what
/// becomes of missing values. Throws Error naming the files and what does not fit.
PreparedJob prepare_job(h5::Sandbox& name_node, const ScoreOptions& options);

/// The block plan of the input's rows for these evaluators' cost.
sched::BlockPlan plan_blocks(const storage::Input& input, double flops_per_row, u64 result_row_bytes,
                             const ScoreOptions& options);

/// What a lane holds of a block at most, in bytes: its payload, decoded rows and results; with direct I/O only the
/// piece of rows at hand, where the layout allows pieces.
u64 lane_bytes(const storage::Input& input, const sched::BlockPlan& plan, const ResultLayout& layout, IoMode mode);

}  // namespace h5score::run

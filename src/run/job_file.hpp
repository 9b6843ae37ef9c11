// The part file of a job: a new one, or the one that --resume continues.
#pragma once

#include "h5score/comm/communicator.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/run/score_job.hpp"
#include "h5score/sched/plan.hpp"
#include "h5score/storage/score_file.hpp"

#include <functional>
#include <optional>
#include <string>

namespace h5score::run {

/// The file, and the plan, which a resumed run takes from it.
struct Output {
  std::optional<storage::ScoreFile> file;
  sched::BlockPlan plan;
  u64 resumed_rows = 0;
};

/// Root only. Says on stderr what a person should know. Throws what ScoreFile::create() and resume() throw.
Output open_output(const comm::Communicator& comm, h5::Sandbox& name_node, const storage::ScoreFileSpec& spec,
                   sched::BlockPlan plan, const ScoreOptions& options);

/// Root only. Calls `open` again and again while it throws OutputBusy and --wait allows; gives what it returns.
bool wait_while_busy(const ScoreOptions& options, const std::function<bool()>& open);

/// Root only. True where --resume finds a finished output of the same identity: nothing is left to do.
bool already_complete(h5::Sandbox& name_node, const std::string& identity, const ScoreOptions& options);

}  // namespace h5score::run

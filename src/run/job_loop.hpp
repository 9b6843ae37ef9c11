// The loop of a job: the engine with a source, scorers and a sink for each way of reading and writing.
#pragma once

#include "h5score/run/engine.hpp"
#include "h5score/storage/score_file.hpp"

#include "backend.hpp"
#include "feature_sample.hpp"
#include "io_choice.hpp"
#include "job_setup.hpp"
#include "result_layout.hpp"
#include "tally.hpp"

#include <string>
#include <vector>

namespace h5score::run {

/// What every rank needs.
struct LoopParts {
  comm::Communicator& comm;
  const JobSetup& setup;
  const Backend& backend;
  const ResultLayout& layout;
  const FeatureStatistics& statistics;
  const sched::BlockPlan& plan;
  const std::vector<u64>& lanes;  ///< threads of each
  const EngineOptions& engine;
};

/// What the root needs besides.
struct RootParts {
  storage::Input& input;
  storage::ScoreFile& file;
  Tally& tally;
  std::vector<u64> todo;
};

/// What `--io direct` needs besides.
struct DirectParts {
  const std::vector<storage::FileIdentity>& files;
  const storage::ScorePlaces& places;
  WritingChoice writing;
  std::string host;  ///< of this rank; empty on the root's
  double sync_interval = 30;
  bool leave_out_missing = false;
};

/// Collective: `--io scatter` with any source of payloads and any taker of results, which the root gives; null, and no
/// `todo`, at the other ranks. A block's results are followed by its sums of features.
EngineResult run_payloads(const LoopParts& parts, const std::vector<u64>* todo, BlockSource* source, BlockSink* sink);
/// Collective; `root` is null at the other ranks. All results are in the score file, or on their way to its next sync.
EngineResult run_scatter(const LoopParts& parts, RootParts* root);
/// The same where IoChoice::page_cache says that the ranks share what the root would send.
EngineResult run_page_cache(const LoopParts& parts, const std::vector<storage::FileIdentity>& files, RootParts* root);
/// The same; payload_bytes of the ranks' reports is what they read. Before it returns every rank has synced what it
/// wrote.
EngineResult run_direct(const LoopParts& parts, const DirectParts& direct, RootParts* root);

}  // namespace h5score::run

// The end of a run with --compress: a compressed copy of the complete part file, made and checked on all ranks, takes
// the output's name.
#pragma once

#include "h5score/comm/communicator.hpp"
#include "h5score/h5/sandbox.hpp"
#include "h5score/run/engine.hpp"
#include "h5score/storage/score_file.hpp"

#include <string>

namespace h5score::run {

/// What the root needs besides.
struct CompressRoot {
  h5::Sandbox& name_node;
  storage::ScoreFile& file;  ///< sealed
  storage::ScoreFileSpec spec;
  std::string output;
};

struct CompressOptions {
  base::u32 level = 4;  ///< of gzip
  u64 threads = 1;      ///< of this rank
  EngineOptions engine;
};

/// Collective; `root` is null at the other ranks. Packs all chunks, writes the copy, reads every chunk back, checks a
/// few blocks through the library against the ledger, and renames the copy to the output; then the part file is gone.
/// Returns false where the engine was asked to stop: then, and after any error, the part file is left as it was and
/// the copy is gone. Throws SharedError, or Error(io) at the root alone.
bool write_compressed(comm::Communicator& comm, const CompressOptions& options, CompressRoot* root);

}  // namespace h5score::run

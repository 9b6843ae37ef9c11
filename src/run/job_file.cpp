// Creating or reopening the part file.
#include "job_file.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"

#include "clock.hpp"
#include "job_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

namespace h5score::run {
namespace {

void warn(const std::string& text) {
  std::fputs(("h5score: warning: " + text + '\n').c_str(), stderr);
}

storage::ScoreDescription read_part(h5::Sandbox& name_node, const std::string& path) {
  return base::from_bytes<storage::ScoreDescription>(name_node.call("read_scores", base::to_bytes(path), path));
}

storage::ScoreFileOptions file_options(h5::Sandbox& name_node, const ScoreOptions& options) {
  storage::ScoreFileOptions file;
  file.overwrite = options.overwrite;
  file.sync_interval = options.sync_interval;
  file.locking = options.file_locking == "on"    ? storage::FileLocking::on
                 : options.file_locking == "off" ? storage::FileLocking::off
                                                 : storage::FileLocking::automatic;
  file.warn = warn;
  file.read_part = [&name_node](const std::string& path) { return read_part(name_node, path); };
  return file;
}

// An input may be rewritten with equal bytes, so another time alone does not forbid to go on.
void warn_of_touched(const std::vector<storage::InputRecord>& then, const std::vector<storage::InputRecord>& now) {
  for (u64 i = 0; i < std::min(then.size(), now.size()); ++i)
    if (then[i].mtime_ns != now[i].mtime_ns) {
      warn(now[i].path +
           ": has another modification time than when its scoring began; if its values changed, start anew "
           "with --overwrite");
      return;
    }
}

bool exists(const std::string& path) {
  std::error_code unreadable;  // then opening or creating it says why
  return std::filesystem::exists(path, unreadable);
}

// A run may be killed after its compressed copy got the output's name and before it removed the part file. True if so,
// and the part file is gone now. Another output of this name is for open_output() to refuse.
bool removed_finished_part(h5::Sandbox& name_node, const std::string& identity, const ScoreOptions& options) {
  if (options.overwrite) return false;
  try {
    const auto output = read_part(name_node, options.output);
    const auto part = read_part(name_node, storage::part_path(options.output));
    const bool same = output.identity == identity && part.identity == identity && output.ledger == part.ledger;
    return same && output.complete() && storage::remove_finished_part(options.output, part);
  } catch (const base::Error&) {
    return false;
  }
}

}  // namespace

Output open_output(const comm::Communicator& comm, h5::Sandbox& name_node, const storage::ScoreFileSpec& spec,
                   sched::BlockPlan plan, const ScoreOptions& options) {
  Output output{.file = std::nullopt, .plan = std::move(plan), .resumed_rows = 0};
  const auto facts = run_facts(comm, options);
  const std::string part = storage::part_path(options.output);
  if (options.resume && exists(part)) {
    const auto description = read_part(name_node, part);
    output.file.emplace(storage::ScoreFile::resume(options.output, description, spec.identity, facts,
                                                   file_options(name_node, options)));
    warn_of_touched(description.inputs, spec.inputs);
    // Blocks cut otherwise than the input's files and chunks suggest are still right, only slower.
    output.plan = {.boundaries = description.boundaries, .groups = {}};
    if (const u64 rejected = output.file->blocks_rejected(); rejected != 0)
      warn(fmt::format("{}: {} blocks fail their checksum and are scored again", part, rejected));
    u64 left = 0;
    for (const u64 block : output.file->todo()) left += output.plan.range(block).size();
    output.resumed_rows = output.plan.rows() - left;
    return output;
  }
  output.file.emplace(storage::ScoreFile::create(options.output, spec, facts, file_options(name_node, options)));
  return output;
}

bool wait_while_busy(const ScoreOptions& options, const std::function<bool()>& open) {
  const double end = now() + options.wait;
  for (bool told = false;; told = true) {
    try {
      return open();
    } catch (const storage::OutputBusy& busy) {
      if (now() >= end) throw;
      if (!told) warn(fmt::format("waiting for at most {:.0f} s: {}", options.wait, busy.what()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
}

bool already_complete(h5::Sandbox& name_node, const std::string& identity, const ScoreOptions& options) {
  if (!options.resume || !exists(options.output)) return false;
  storage::ScoreDescription description;
  try {
    if (exists(storage::part_path(options.output)) && !removed_finished_part(name_node, identity, options))
      return false;
    description = read_part(name_node, options.output);
    storage::require_same_identity(options.output, description.identity, identity);
  } catch (const base::Error&) {
    if (options.overwrite) return false;  // an earlier file, to be replaced
    throw;
  }
  fmt::print("{} is complete already: {} rows; nothing to do\n", options.output, description.rows);
  return true;
}

}  // namespace h5score::run

// Creates, locks, opens and publishes part files.
#include "part_file.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/output_path.hpp"
#include "h5score/storage/compressed_copy.hpp"

#include "other_run.hpp"
#include "run_owner.hpp"
#include "score_layout.hpp"

#include <unistd.h>

#include <cerrno>
#include <optional>
#include <set>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;

bool exists(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0;
}

// Refuses early what the last rename could not do.
void check_output(const std::string& output, bool overwrite) {
  const std::string problem = output + ": cannot be created";
  struct stat status {};
  if (::stat(folder_of(output).c_str(), &status) != 0)
    throw Error(ExitCode::cant_create, problem, "folder " + folder_of(output) + ": " + base::errno_text(errno));
  if (::lstat(output.c_str(), &status) != 0) return;
  base::check_replaceable(output);
  if (!overwrite)
    throw Error(ExitCode::cant_create, output + ": exists already", {}, "choose another name or add --overwrite");
}

[[noreturn]] void refuse(const std::string& output, const std::string& why) {
  throw OutputBusy(ExitCode::cant_create, output + ": is being written", why,
                   "wait for it (--wait TIME; without a sign of life for " + std::to_string(dead_after_seconds) +
                       " s it counts as dead), stop it or choose another name");
}

LockResult lock(const PosixFile& file, const ScoreFileOptions& options) {
  if (options.locking == FileLocking::off) return LockResult::unsupported;
  const LockResult result = file.try_lock();
  if (result == LockResult::unsupported) {
    const std::string text = file.path() + ": cannot be locked (" + base::errno_text(errno) + ")";
    if (options.locking == FileLocking::on)
      throw Error(ExitCode::cant_create, text, {}, "allow it with --file-locking auto");
    if (options.warn) options.warn(text + "; make sure that no other run writes this output");
  }
  return result;
}

bool is_free(const PosixFile& file, const ScoreFileOptions& options) {
  return lock(file, options) != LockResult::held_by_another;
}

std::optional<ScoreDescription> read_part(const std::string& part, const ScoreFileOptions& options) {
  try {
    return options.read_part ? options.read_part(part) : read_scores(part);
  } catch (const Error& error) {
    if (error.code() == ExitCode::stopped) throw;
    return std::nullopt;  // not ours, or damaged
  }
}

// Throws unless this run may take the part file.
void take(const PosixFile& file, const std::string& output, const std::optional<ScoreDescription>& part,
          LockResult lock, const std::string& host, const ScoreFileOptions& options) {
  const OtherRun other = judge_other_run(part, lock, host);
  if (other.writes) refuse(output, other.text + ", writes it");
  if (other.unlocked && options.warn)
    options.warn(file.path() + ": taken over from " + other.text + "; its process still holds the lock");
}

// No file if another process has just created it.
PosixFile try_create(PosixCalls& calls, const std::string& path) {
  try {
    return {calls, path, O_RDWR | O_CREAT | O_EXCL};
  } catch (const Error&) {
    if (!exists(path)) throw;
    return {};
  }
}

// OUT.part.tmp as a new inode. Its lock is also the right to put a file in the place of OUT.part.
PosixFile create_new(PosixCalls& calls, const std::string& output, const ScoreFileOptions& options) {
  const std::string path = part_path(output) + ".tmp";
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (exists(path)) {  // left over by a killed run, unless someone holds its lock
      const PosixFile old(calls, path, O_RDWR);
      if (!is_free(old, options)) refuse(output, "another run is starting");
      if (old.is_at_path() && ::unlink(path.c_str()) != 0)
        throw Error(ExitCode::cant_create, path + ": cannot be removed", base::errno_text(errno));
    }
    PosixFile file = try_create(calls, path);
    if (file && is_free(file, options) && file.is_at_path()) return file;
  }
  refuse(output, "other runs keep starting");
}

// An existing OUT.part: written by a living run, or left by one that ended. Its lock is kept until it is replaced, so
// that nobody resumes it in between. A run that ended before it made any result safe leaves nothing to continue; what
// is not ours, or damaged, is not for us to judge.
PosixFile hold_old_part(PosixCalls& calls, const std::string& output, const std::string& host,
                        const ScoreFileOptions& options) {
  const std::string part = part_path(output);
  if (!exists(part)) return {};
  PosixFile old(calls, part, O_RDWR);
  const LockResult locked = lock(old, options);
  const auto scores = read_part(part, options);
  take(old, output, scores, locked, host, options);
  if (!options.overwrite && (!scores || scores->blocks_done() != 0))
    throw Error(ExitCode::cant_create, part + ": exists", "an earlier run has not finished",
                "continue it with --resume or start anew with --overwrite");
  return old;
}

// A compressed copy that a killed run left. Whoever holds the lock of OUT.part may remove it.
void remove_old_copy(const std::string& output) {
  const std::string path = copy_path(output);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    throw Error(ExitCode::cant_create, path + ": cannot be removed", base::errno_text(errno));
}

void check_spec(const ScoreFileSpec& spec) {
  const auto& b = spec.boundaries;
  bool good = !b.empty() && b.front() == 0 && b.back() == spec.rows;
  for (std::size_t i = 1; good && i < b.size(); ++i) good = b[i - 1] < b[i];
  if (!good) throw Error(ExitCode::internal, "the blocks of a score file do not cover its rows");
  std::set<std::string> taken{layout::inputs, layout::group};
  const auto take = [&](const std::string& path) {
    bool free = path.size() > 1 && path.front() == '/' && path.back() != '/' && taken.insert(path).second;
    for (auto slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1))
      free = free && !taken.contains(path.substr(0, slash));
    const auto below = taken.lower_bound(path + "/");
    free = free && (below == taken.end() || below->rfind(path + "/", 0) != 0);
    if (!free) throw Error(ExitCode::cant_create, "the result " + path + " has no place", "the name is already in use");
  };
  for (const auto& column : spec.columns) take(column.path);
  for (const auto& table : spec.tables) take(table.path);
}

// The space is reserved before the first byte is written: from then on a full disk is no concern of this file.
void fill(PosixCalls& calls, PosixFile& file, const std::string& output, const ScoreFileSpec& spec,
          const ScoreFileOptions& options) {
  const h5::MemoryFile made = layout::make_metadata(spec);
  file.resize(made.size());
  if (file.reserve(made.size()) == ReserveResult::unsupported && options.warn)
    options.warn(file.path() + ": the file system cannot reserve space; the run fails if others fill the disk");
  made.each_stretch([&](u64 offset, ByteView bytes) { file.write(bytes, offset); });
  if (!file.is_at_path()) refuse(output, "another program has replaced " + file.path());
  file.sync_all();
  static_cast<void>(file.rename(part_path(output), true));
  sync_folder(calls, folder_of(output));
}

void remove_unfinished(const PosixFile& file, const std::string& output) {
  if (file.path() != part_path(output) && file.is_at_path()) static_cast<void>(::unlink(file.path().c_str()));
}

}  // namespace

std::string part_path(const std::string& output) {
  return output + ".part";
}

PosixFile create_part_file(PosixCalls& calls, const std::string& output, const ScoreFileSpec& spec,
                           const std::string& host, const ScoreFileOptions& options) {
  check_spec(spec);
  check_output(output, options.overwrite);
  PosixFile file = create_new(calls, output, options);
  try {
    const PosixFile old = hold_old_part(calls, output, host, options);
    fill(calls, file, output, spec, options);
    remove_old_copy(output);
  } catch (const Error& error) {
    remove_unfinished(file, output);
    if (dynamic_cast<const OutputBusy*>(&error) != nullptr || error.code() == ExitCode::stopped) throw;
    throw Error(error.code() == ExitCode::internal ? ExitCode::internal : ExitCode::cant_create, error.what());
  } catch (const std::exception&) {
    remove_unfinished(file, output);
    throw;
  }
  return file;
}

PosixFile open_part_file(PosixCalls& calls, const std::string& output, const ScoreDescription& part,
                         const std::string& host, const ScoreFileOptions& options) {
  check_output(output, options.overwrite);
  PosixFile file(calls, part_path(output), O_RDWR);
  take(file, output, part, lock(file, options), host, options);
  const struct stat status = file.status();
  if (!file.is_at_path() || status.st_ino != part.inode || static_cast<u64>(status.st_size) != part.file_size)
    throw Error(ExitCode::data, file.path() + ": changed while it was opened", {}, "see whether another run writes it");
  remove_old_copy(output);
  return file;
}

bool remove_finished_part(const std::string& output, const ScoreDescription& part, PosixCalls& calls) {
  const PosixFile file(calls, part_path(output), O_RDWR);
  if (file.try_lock() == LockResult::held_by_another) return false;
  if (!file.is_at_path() || file.status().st_ino != part.inode) return false;
  if (::unlink(file.path().c_str()) != 0) return false;
  remove_old_copy(output);
  sync_folder(calls, folder_of(output));
  return true;
}

void publish(PosixCalls& calls, PosixFile& file, const std::string& output, bool overwrite) {
  const std::string part = file.path();
  if (!file.is_at_path()) throw Error(ExitCode::io, part + ": was replaced or removed during the run");
  if (!file.rename(output, overwrite))
    throw Error(ExitCode::cant_create, output + ": appeared while the run wrote its scores", {},
                "the complete scores are in " + part_path(output) + ": rename it");
  sync_folder(calls, folder_of(output));
}

}  // namespace h5score::storage

// Looking at locks and processes.
#include "h5score/storage/writer_state.hpp"

#include "h5score/base/error.hpp"
#include "h5score/storage/posix_file.hpp"

#include <unistd.h>

#include <array>
#include <fstream>

namespace h5score::storage {
namespace {

enum class Lock : base::u8 { held, free, unknown };

Lock lock_of(const std::string& path) {
  try {
    const PosixFile file(PosixCalls::system(), path, O_RDONLY);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    if (::fcntl(file.descriptor(), F_OFD_GETLK, &whole) != 0) return Lock::unknown;
    return whole.l_type == F_UNLCK ? Lock::free : Lock::held;
  } catch (const base::Error&) {
    return Lock::unknown;
  }
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

bool is_h5score(u64 pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  return std::getline(file, name) && name == "h5score";
}

}  // namespace

WriterState writer_of(const ScoreDescription& scores) {
  const Lock lock = lock_of(scores.path);
  if (lock == Lock::held) return WriterState::running;
  if (scores.runs.empty() || scores.runs.back().end_ns > 0) return WriterState::nobody;
  const RunFacts& run = scores.runs.back();
  if (run.host == host_name() && is_h5score(run.pid)) return WriterState::running;
  const bool unlocked = run.command.find("--file-locking") != std::string::npos;
  if (lock == Lock::free && !unlocked) return WriterState::nobody;
  return run.host == host_name() ? WriterState::nobody : WriterState::unknown;
}

}  // namespace h5score::storage

// Writes a rank's own results by pwrite and keeps count of what is on disk.
#include "h5score/storage/score_writer.hpp"

#include "h5score/base/blocked_signals.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include <linux/magic.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;

constexpr u64 smallest_page = 4096;
constexpr double longest_interval = 1e6;  // seconds; what the library can add to a point in time

// Numbers that <linux/magic.h> lacks are those of their own sources: xfs_fs.h, Lustre's lustre_user.h, GPFS's gpfs.h,
// OpenZFS's zfs_vfsops_os.h.
constexpr u64 xfs_magic = 0x58465342;
constexpr u64 lustre_magic = 0x0BD00BD0;
constexpr u64 gpfs_magic = 0x47504653;
constexpr u64 zfs_magic = 0x2FC12FC1;

// Either of one host, whatever its processes call it, or with caches that are coherent between hosts.
constexpr std::array<u64, 10> coherent_file_systems{
    lustre_magic, gpfs_magic,  CEPH_SUPER_MAGIC,  EXT4_SUPER_MAGIC,      xfs_magic,
    zfs_magic,    TMPFS_MAGIC, BTRFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, F2FS_SUPER_MAGIC};

PosixCalls& calls_or_system(PosixCalls* calls) {
  return calls != nullptr ? *calls : PosixCalls::system();
}

bool holds_mark(const PosixFile& file, const ScorePlaces& places) {
  if (static_cast<u64>(file.status().st_size) < base::checked_add(places.mark_offset, places.mark.size())) return false;
  base::Bytes found(places.mark.size());
  file.read(found, places.mark_offset);
  return found == places.mark;
}

// The root's part file, as far as this host sees it.
PosixFile open_marked(const ScorePlaces& places, const std::string& host, PosixCalls& calls) {
  try {
    PosixFile file(calls, places.path, O_RDWR);
    if (holds_mark(file, places)) return file;
  } catch (const Error& error) {
    throw Error(ExitCode::cant_create, "host " + host + " cannot write its results", error.what(),
                "choose an output folder that all hosts share, or --io scatter");
  }
  throw Error(ExitCode::cant_create, "host " + host + " cannot write its results",
              places.path + " is another file there than on the root's host",
              "choose an output folder that all hosts share, or --io scatter");
}

u64 page_bytes() {
  return std::max(smallest_page, base::narrow<u64>(::sysconf(_SC_PAGESIZE)));
}

}  // namespace

Ownership choose_ownership(const std::string& part_path, bool on_root_host, PosixCalls* calls) {
  struct statfs status {};
  if (calls_or_system(calls).statfs(part_path.c_str(), &status) != 0) return Ownership::none;
  const auto type = static_cast<u64>(static_cast<base::u32>(status.f_type));
  if (std::find(coherent_file_systems.begin(), coherent_file_systems.end(), type) == coherent_file_systems.end())
    return Ownership::none;
  return on_root_host ? Ownership::all : Ownership::pages;
}

std::string direct_write_problem(const ScorePlaces& places, const std::string& host, PosixCalls* calls) {
  try {
    static_cast<void>(open_marked(places, host, calls_or_system(calls)));
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

class ScoreWriter::Impl {
 public:
  Impl(const ScorePlaces& places, Ownership ownership, double sync_interval, const std::string& host,
       PosixCalls& calls);
  ~Impl();

  u64 write(base::RowRange rows, ByteView results, std::vector<Rest>& rest, const Poll& poll);
  [[nodiscard]] u64 synced() const;
  void sync();

 private:
  void put(ByteView bytes, u64 offset, std::vector<Rest>& rest, const Poll& poll) const;
  void check_usable() const;
  template <class Action>
  void final_if_failed(Action action);
  void serve();

  ScorePlaces places_;
  Ownership ownership_;
  std::chrono::duration<double> sync_interval_;
  PosixFile file_;
  u64 row_bytes_ = 0;
  u64 page_ = page_bytes();

  mutable std::mutex state_;  // of the five below
  std::condition_variable wake_;
  u64 completed_ = 0;
  u64 synced_ = 0;
  bool ending_ = false;
  std::optional<Error> failure_;

  std::mutex one_sync_;  // a failure is told to one call only: the next must not begin before it is known
  std::thread syncer_;
};

ScoreWriter::Impl::Impl(const ScorePlaces& places, Ownership ownership, double sync_interval, const std::string& host,
                        PosixCalls& calls)
    : places_(places), ownership_(ownership), sync_interval_(std::clamp(sync_interval, 0.0, longest_interval)) {
  for (const u64 bytes : places_.row_bytes) row_bytes_ = base::checked_add(row_bytes_, bytes);
  if (ownership_ != Ownership::none) file_ = open_marked(places_, host, calls);
  if (ownership_ != Ownership::pages) return;
  const base::BlockedSignals blocked;
  try {
    syncer_ = std::thread([this] { serve(); });
  } catch (const std::system_error& error) {
    throw Error(ExitCode::io, "host " + host + " cannot start a thread that syncs results", error.code().message());
  }
}

ScoreWriter::Impl::~Impl() {
  {
    const std::lock_guard lock(state_);
    ending_ = true;
  }
  wake_.notify_all();
  if (syncer_.joinable()) syncer_.join();
}

void ScoreWriter::Impl::check_usable() const {
  const std::lock_guard lock(state_);
  if (failure_) throw Error(*failure_);
}

// The kernel may have dropped pages that it could not write: nothing that follows can be trusted.
template <class Action>
void ScoreWriter::Impl::final_if_failed(Action action) {
  try {
    action();
  } catch (const Error& error) {
    const std::lock_guard lock(state_);
    if (!failure_) failure_ = error;
    throw;
  }
}

void ScoreWriter::Impl::put(ByteView bytes, u64 offset, std::vector<Rest>& rest, const Poll& poll) const {
  u64 begin = 0;  // of what is ours, in `bytes`
  u64 end = ownership_ == Ownership::none ? 0 : bytes.size();
  if (ownership_ == Ownership::pages) {
    begin = std::min<u64>((page_ - offset % page_) % page_, bytes.size());
    end -= std::min((offset + bytes.size()) % page_, end - begin);
  }
  if (begin != 0) rest.push_back({offset, bytes.first(begin)});
  if (begin != end) file_.write(bytes.subspan(begin, end - begin), offset + begin, poll);
  if (end != bytes.size()) rest.push_back({offset + end, bytes.subspan(end)});
}

u64 ScoreWriter::Impl::write(base::RowRange rows, ByteView results, std::vector<Rest>& rest, const Poll& poll) {
  check_usable();
  if (rows.begin > rows.end || rows.end > places_.rows || results.size() != rows.size() * row_bytes_)
    throw Error(ExitCode::internal, places_.path + ": the results of rows " + std::to_string(rows.begin) + " to " +
                                        std::to_string(rows.end) + " are of another size");
  final_if_failed([&] {
    for (std::size_t i = 0; i < places_.offsets.size(); ++i) {
      const u64 row_bytes = places_.row_bytes[i];
      const ByteView column = results.first(rows.size() * row_bytes);
      put(column, places_.offsets[i] + rows.begin * row_bytes, rest, poll);
      results = results.subspan(column.size());
    }
  });
  const std::lock_guard lock(state_);
  wake_.notify_all();
  return completed_++;
}

u64 ScoreWriter::Impl::synced() const {
  const std::lock_guard lock(state_);
  return ownership_ == Ownership::pages ? synced_ : completed_;
}

void ScoreWriter::Impl::sync() {
  const std::lock_guard one_at_a_time(one_sync_);
  check_usable();
  if (ownership_ != Ownership::pages) return;
  u64 before = 0;
  {
    const std::lock_guard lock(state_);
    if (completed_ == synced_) return;
    before = completed_;
  }
  final_if_failed([this] { file_.sync_data(); });
  const std::lock_guard lock(state_);
  synced_ = before;
}

// The helper thread.
void ScoreWriter::Impl::serve() {
  std::unique_lock lock(state_);
  while (!failure_) {
    wake_.wait_for(lock, sync_interval_, [this] { return ending_; });
    wake_.wait(lock, [this] { return ending_ || completed_ != synced_; });
    if (ending_) return;
    lock.unlock();
    try {
      sync();
    } catch (const Error&) {
      return;  // thrown by the next call
    }
    lock.lock();
  }
}

ScoreWriter::ScoreWriter(const ScorePlaces& places, Ownership ownership, double sync_interval, const std::string& host,
                         PosixCalls* calls)
    : impl_(std::make_unique<Impl>(places, ownership, sync_interval, host, calls_or_system(calls))) {}
ScoreWriter::~ScoreWriter() = default;

u64 ScoreWriter::write(base::RowRange rows, ByteView results, std::vector<Rest>& rest, const Poll& poll) {
  return impl_->write(rows, results, rest, poll);
}
u64 ScoreWriter::synced() const {
  return impl_->synced();
}
void ScoreWriter::sync() {
  impl_->sync();
}

}  // namespace h5score::storage

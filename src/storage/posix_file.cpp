// POSIX files with every return code checked.
#include "h5score/storage/posix_file.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;

// Bytes between two polls: about 0.1 ms of copying into the page cache.
constexpr std::size_t polled_piece = std::size_t{1} << 18;
// Linux moves at most 2 GiB - 4 KiB per call.
constexpr std::size_t largest_piece = std::size_t{1} << 30;

std::size_t piece(std::size_t left, const Poll& poll) {
  return std::min(left, poll ? polled_piece : largest_piece);
}

template <class Call>
auto repeat_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

std::string in_gigabytes(u64 bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g GB", static_cast<double>(bytes) / 1e9);
  return text;
}

}  // namespace

int PosixCalls::open(const char* path, int flags, mode_t mode) {
  return ::open(path, flags, mode);
}
int PosixCalls::close(int fd) {
  return ::close(fd);
}
ssize_t PosixCalls::pwrite(int fd, const void* data, std::size_t size, off_t offset) {
  return ::pwrite(fd, data, size, offset);
}
ssize_t PosixCalls::pread(int fd, void* data, std::size_t size, off_t offset) {
  return ::pread(fd, data, size, offset);
}
int PosixCalls::fsync(int fd) {
  return ::fsync(fd);
}
int PosixCalls::fdatasync(int fd) {
  return ::fdatasync(fd);
}
int PosixCalls::ftruncate(int fd, off_t size) {
  return ::ftruncate(fd, size);
}
// Not posix_fallocate: where the file system cannot reserve, that one writes every page.
int PosixCalls::fallocate(int fd, off_t size) {
  return ::fallocate(fd, 0, 0, size);
}
int PosixCalls::fstatvfs(int fd, struct statvfs* status) {
  return ::fstatvfs(fd, status);
}
int PosixCalls::statfs(const char* path, struct statfs* status) {
  return ::statfs(path, status);
}
int PosixCalls::rename(const char* from, const char* to, unsigned flags) {
  return ::renameat2(AT_FDCWD, from, AT_FDCWD, to, flags);
}
// Locks of the open file description: unlike POSIX record locks they do not vanish when HDF5 closes a descriptor of its
// own for the same file.
int PosixCalls::lock(int fd) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &whole);
}

PosixCalls& PosixCalls::system() {
  static PosixCalls calls;
  return calls;
}

PosixFile::PosixFile(PosixCalls& calls, std::string path, int flags, mode_t mode)
    : calls_(&calls),
      path_(std::move(path)),
      fd_(repeat_interrupted([&] { return calls.open(path_.c_str(), flags | O_CLOEXEC, mode); })) {
  if (fd_ >= 0) return;
  if ((flags & O_ACCMODE) == O_RDONLY) fail("cannot be opened");
  throw Error(ExitCode::cant_create, path_ + ": cannot be opened for writing", base::errno_text(errno));
}

PosixFile::PosixFile(PosixFile&& other) noexcept
    : calls_(other.calls_), path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

PosixFile& PosixFile::operator=(PosixFile&& other) noexcept {
  std::swap(calls_, other.calls_);
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

PosixFile::~PosixFile() {
  // Nothing to report: what had to be safe was synced, and close() is called where its failure matters.
  if (fd_ >= 0) static_cast<void>(calls_->close(fd_));
}

void PosixFile::fail(const std::string& action) const {
  throw Error(ExitCode::io, path_ + ": " + action, base::errno_text(errno));
}

struct stat PosixFile::status() const {
  struct stat result {};
  if (::fstat(fd_, &result) != 0) fail("cannot be examined");
  return result;
}

bool PosixFile::is_at_path() const {
  struct stat there {};
  const struct stat here = status();
  return ::stat(path_.c_str(), &there) == 0 && there.st_ino == here.st_ino && there.st_dev == here.st_dev;
}

void PosixFile::write(ByteView data, u64 offset, const Poll& poll) const {
  while (!data.empty()) {
    const auto at = base::narrow<off_t>(offset);
    const auto size = piece(data.size(), poll);
    const ssize_t done = repeat_interrupted([&] { return calls_->pwrite(fd_, data.data(), size, at); });
    if (done == 0) errno = EIO;
    if (done <= 0) fail("writing at offset " + std::to_string(offset) + " failed");
    data = data.subspan(static_cast<std::size_t>(done));
    offset += static_cast<u64>(done);
    if (poll) poll();
  }
}

void PosixFile::read(std::span<std::byte> data, u64 offset, const Poll& poll) const {
  while (!data.empty()) {
    const auto at = base::narrow<off_t>(offset);
    const auto size = piece(data.size(), poll);
    const ssize_t done = repeat_interrupted([&] { return calls_->pread(fd_, data.data(), size, at); });
    if (done < 0) fail("reading at offset " + std::to_string(offset) + " failed");
    if (done == 0) throw Error(ExitCode::io, path_ + ": ends early", "at offset " + std::to_string(offset));
    data = data.subspan(static_cast<std::size_t>(done));
    offset += static_cast<u64>(done);
    if (poll) poll();
  }
}

void PosixFile::sync_data() const {
  if (repeat_interrupted([&] { return calls_->fdatasync(fd_); }) != 0) fail("syncing to disk failed");
}

void PosixFile::sync_all() const {
  if (repeat_interrupted([&] { return calls_->fsync(fd_); }) != 0) fail("syncing to disk failed");
}

void PosixFile::resize(u64 size) const {
  const auto length = base::narrow<off_t>(size);
  if (repeat_interrupted([&] { return calls_->ftruncate(fd_, length); }) != 0) fail("cannot be given its size");
}

ReserveResult PosixFile::reserve(u64 size) const {
  const auto length = base::narrow<off_t>(size);
  if (size == 0 || repeat_interrupted([&] { return calls_->fallocate(fd_, length); }) == 0)
    return ReserveResult::reserved;
  const int reason = errno;
  struct statvfs space {};
  const bool known = calls_->fstatvfs(fd_, &space) == 0;
  const u64 available = known ? base::checked_mul(space.f_bavail, space.f_frsize) : 0;
  const bool unsupported = reason == EOPNOTSUPP || reason == ENOSYS;
  if (unsupported && (!known || size <= available)) return ReserveResult::unsupported;
  std::string why = base::errno_text(unsupported ? ENOSPC : reason) + ": " + in_gigabytes(size) + " needed";
  if (known) why += ", " + in_gigabytes(available) + " available";
  throw Error(ExitCode::cant_create, path_ + ": the disk space cannot be reserved", why,
              "free some space or choose another folder");
}

LockResult PosixFile::try_lock() const {
  if (repeat_interrupted([&] { return calls_->lock(fd_); }) == 0) return LockResult::locked;
  return errno == EAGAIN || errno == EACCES ? LockResult::held_by_another : LockResult::unsupported;
}

bool PosixFile::rename(const std::string& to, bool replace) {
  int result = calls_->rename(path_.c_str(), to.c_str(), replace ? 0 : RENAME_NOREPLACE);
  if (result != 0 && !replace && errno == EINVAL) {  // NFS knows no RENAME_NOREPLACE: look, then rename
    struct stat target {};
    if (::lstat(to.c_str(), &target) == 0) return false;
    result = calls_->rename(path_.c_str(), to.c_str(), 0);
  }
  if (result != 0 && !replace && errno == EEXIST) return false;
  if (result != 0) fail("cannot be renamed to " + to);
  path_ = to;
  return true;
}

void PosixFile::close() {
  const int fd = std::exchange(fd_, -1);
  // Linux has closed the descriptor even when it says EINTR.
  if (fd >= 0 && calls_->close(fd) != 0 && errno != EINTR) fail("closing failed");
}

std::string folder_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

void sync_folder(PosixCalls& calls, const std::string& folder) {
  const int fd = calls.open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (fd < 0) throw Error(ExitCode::io, folder + ": cannot be opened", base::errno_text(errno));
  const int result = repeat_interrupted([&] { return calls.fsync(fd); });
  const int reason = errno;
  static_cast<void>(calls.close(fd));  // a folder opened for reading has nothing to lose
  if (result != 0 && reason != EINVAL && reason != ENOTSUP)
    throw Error(ExitCode::io, folder + ": syncing to disk failed", base::errno_text(reason));
}

}  // namespace h5score::storage

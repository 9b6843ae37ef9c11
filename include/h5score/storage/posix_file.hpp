// Files by POSIX calls, with every return code checked: what the score file writes with once HDF5 has made its
// metadata. The calls go through PosixCalls, so that a test can fail, shorten or kill any one of them.
#pragma once

#include "h5score/base/types.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include <functional>
#include <span>
#include <string>

namespace h5score::storage {

using base::ByteView;
using base::u64;

/// The system calls as they are: -1 and errno on failure. A test's double overrides some of them.
class PosixCalls {
 public:
  virtual ~PosixCalls() = default;
  virtual int open(const char* path, int flags, mode_t mode);
  virtual int close(int fd);
  virtual ssize_t pwrite(int fd, const void* data, std::size_t size, off_t offset);
  virtual ssize_t pread(int fd, void* data, std::size_t size, off_t offset);
  virtual int fsync(int fd);
  virtual int fdatasync(int fd);
  virtual int ftruncate(int fd, off_t size);
  virtual int fallocate(int fd, off_t size);
  virtual int fstatvfs(int fd, struct statvfs* status);
  virtual int statfs(const char* path, struct statfs* status);
  virtual int rename(const char* from, const char* to, unsigned flags);  ///< renameat2's flags
  /// An open-file-description write lock on the whole file, without waiting.
  virtual int lock(int fd);

  /// The real ones.
  static PosixCalls& system();
};

/// Between the pieces of a long transfer, for MPI progress; may be empty.
using Poll = std::function<void()>;

enum class LockResult : base::u8 { locked, held_by_another, unsupported };
enum class ReserveResult : base::u8 { reserved, unsupported };

/// An open file. Errors are base::Error(io) naming path and offset, but for those of opening and reserve().
class PosixFile {
 public:
  PosixFile() = default;
  /// open(2) with O_CLOEXEC. Throws Error(io) where `flags` only ask to read, else Error(cant_create), with the reason.
  PosixFile(PosixCalls& calls, std::string path, int flags, mode_t mode = 0666);
  PosixFile(PosixFile&& other) noexcept;
  PosixFile& operator=(PosixFile&& other) noexcept;
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;
  ~PosixFile();

  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return fd_; }
  [[nodiscard]] struct stat status() const;
  /// True if `path()` still leads to the open file.
  [[nodiscard]] bool is_at_path() const;

  /// Writes or reads all of it; a short count is continued, EINTR repeated, an early end of file is an error.
  void write(ByteView data, u64 offset, const Poll& poll = {}) const;
  void read(std::span<std::byte> data, u64 offset, const Poll& poll = {}) const;
  /// A failure is final: the kernel may have dropped the pages, and a second call would succeed without them.
  void sync_data() const;
  void sync_all() const;
  /// Sets the size; what is new reads as zeros.
  void resize(u64 size) const;
  /// Reserves the disk space of [0, size). Throws Error(cant_create) when there is not enough, also where only
  /// statvfs(3) can tell (then `unsupported`: nothing is promised).
  [[nodiscard]] ReserveResult reserve(u64 size) const;
  [[nodiscard]] LockResult try_lock() const;
  /// Renames the open file. Without `replace` an existing target is left alone and false returned.
  bool rename(const std::string& to, bool replace);
  /// Closes now; Error(io) on failure.
  void close();

 private:
  [[noreturn]] void fail(const std::string& action) const;
  PosixCalls* calls_ = nullptr;
  std::string path_;
  int fd_ = -1;
};

/// The folder part of a path ("." if there is none).
std::string folder_of(const std::string& path);
/// Makes renames and new names in a folder durable. File systems that cannot are accepted (EINVAL).
void sync_folder(PosixCalls& calls, const std::string& folder);

}  // namespace h5score::storage

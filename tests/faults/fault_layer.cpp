// A layer between h5score and the C library, loaded by LD_PRELOAD: counts, logs, fails, cuts short or kills at chosen
// calls on files of one folder, in all ranks and name nodes of a run. Environment (fault_layer.py sets it):
//   FAULTS_CONTROL  the file of fault_control.hpp; without it the layer does nothing
//   FAULTS_PROGRAM  file name of the program that is watched (launchers are not)
//   FAULTS_FOLDER   files whose path begins so are watched
//   FAULTS_CALLS    letters: o open, w write, z truncate and allocate, s sync, n rename, link and unlink, c close, r
//   read FAULTS_AT       number of the call that meets the fault, from 1 over all processes; 0 or absent: none
//   FAULTS_ACTION   kill (the whole job, after the call), torn (kill with half of the write done), fail (this call),
//                   fail-on (this call and all later ones; a write does half first), short (half of the bytes), stop
//                   (SIGSTOP)
//   FAULTS_ERRNO    number of the error of fail and fail-on
//   FAULTS_LOG      1: log all watched calls but reads
//   FAULTS_PAUSE    microseconds to wait after each write, so that the program's helper threads get their turn
//   FAULTS_NO_RESERVE  1: fallocate(2) is not supported
#include "fault_control.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace h5score::faults {
namespace {

struct Settings {
  Control* control = nullptr;
  std::string_view folder;
  std::string_view calls;
  std::string_view action;
  std::uint64_t at = 0;
  int error = EIO;
  useconds_t pause = 0;
  bool log = false;
  bool no_reserve = false;
};
Settings settings;  // written once, before main

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

void join_the_job() {
  Control& control = *settings.control;
  const auto place = control.processes.fetch_add(1);
  if (place < most_processes) control.process[place] = ::getpid();
}

[[noreturn]] void kill_the_job() {
  Control& control = *settings.control;
  control.dead = 1;
  const auto processes = std::min<std::uint64_t>(control.processes, most_processes);
  for (std::size_t i = 0; i < processes; ++i)
    if (const auto process = static_cast<pid_t>(control.process[i]); process != 0 && process != ::getpid())
      ::kill(process, SIGKILL);
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

bool is_watched_program() {
  std::array<char, PATH_MAX> path{};
  if (::readlink("/proc/self/exe", path.data(), path.size() - 1) < 0) return false;
  const std::string_view name(path.data());
  return name.substr(name.find_last_of('/') + 1) == variable("FAULTS_PROGRAM");
}

__attribute__((constructor)) void start() {
  const char* control = variable("FAULTS_CONTROL");
  if (*control == '\0' || !is_watched_program()) return;
  const int fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, control, O_RDWR | O_CLOEXEC));
  struct stat status {};
  void* memory = MAP_FAILED;
  if (fd >= 0 && ::fstat(fd, &status) == 0)
    memory = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::syscall(SYS_close, fd);
  if (memory == MAP_FAILED) std::abort();
  settings = {.control = static_cast<Control*>(memory),
              .folder = variable("FAULTS_FOLDER"),
              .calls = variable("FAULTS_CALLS"),
              .action = variable("FAULTS_ACTION"),
              .at = std::strtoull(variable("FAULTS_AT"), nullptr, 10),
              .error = std::atoi(variable("FAULTS_ERRNO")),
              .pause = static_cast<useconds_t>(std::atoi(variable("FAULTS_PAUSE"))),
              .log = *variable("FAULTS_LOG") == '1',
              .no_reserve = *variable("FAULTS_NO_RESERVE") == '1'};
  join_the_job();
  pthread_atfork(nullptr, nullptr, join_the_job);
}

/// One call on a watched file.
struct Call {
  Kind kind = Kind::open;
  std::string_view path;
  std::uint64_t inode = 0;
  std::int64_t offset = 0;
  std::size_t size = 0;        ///< of reads and writes
  std::string_view data = {};  ///< of writes
  std::string_view target = {};
  Name name = {};
};

bool below_folder(std::string_view path) {
  return settings.control != nullptr && path.substr(0, settings.folder.size()) == settings.folder;
}

std::uint64_t inode_at(const char* path) {
  struct stat status {};
  return ::lstat(path, &status) == 0 ? status.st_ino : 0;
}

/// The path of an open file if it is watched. Asked anew each time: so no bookkeeping of descriptors can be wrong.
class WatchedFile {
 public:
  explicit WatchedFile(int fd) {
    if (settings.control == nullptr) return;
    std::array<char, 40> link{};
    std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
    const int before = errno;
    const auto size = ::syscall(SYS_readlinkat, AT_FDCWD, link.data(), text_.data(), text_.size());
    errno = before;
    if (size <= 0) return;
    path_ = {text_.data(), static_cast<std::size_t>(size)};
    struct stat status {};
    watched_ = below_folder(path_) && ::fstat(fd, &status) == 0;
    inode_ = status.st_ino;
  }
  explicit operator bool() const { return watched_; }
  [[nodiscard]] Call call(Kind kind) const { return {.kind = kind, .path = path_, .inode = inode_}; }

 private:
  std::array<char, PATH_MAX> text_;
  std::string_view path_;
  std::uint64_t inode_ = 0;
  bool watched_ = false;
};

std::uint64_t log(Record record, const Call& call) {
  Control& control = *settings.control;
  const std::size_t bytes = sizeof record + call.path.size() + call.target.size() + call.data.size();
  record.bytes = (bytes + 7) / 8 * 8;
  const std::uint64_t place = control.logged.fetch_add(record.bytes);
  if (place + record.bytes > control.capacity) std::abort();
  auto* out = reinterpret_cast<char*>(&control + 1) + place;
  if (record.kind != Kind::end) record.id = place;
  record.path_bytes = static_cast<std::uint32_t>(call.path.size());
  record.target_bytes = static_cast<std::uint32_t>(call.target.size());
  record.data_bytes = call.data.size();
  char* text = out + sizeof record;
  for (const auto part : {call.path, call.target, call.data}) {
    std::memcpy(text, part.data(), part.size());
    text += part.size();
  }
  std::memcpy(out, &record, sizeof record);
  return place;
}

long fail(int error) {
  errno = error;
  return -1;
}

std::uint64_t opened_inode(Kind kind, long fd) {
  struct stat status {};
  return kind == Kind::open && fd >= 0 && ::fstat(static_cast<int>(fd), &status) == 0 ? status.st_ino : 0;
}

/// Does the call, unless it is the one that shall meet the fault. `part(bytes)` does it for that many bytes.
template <class Whole, class Part>
long perform(const Call& call, Whole whole, Part part) {
  static constexpr std::string_view letters = "owzsncr";
  Control& control = *settings.control;
  if (control.dead != 0) kill_the_job();
  const bool counted = settings.calls.find(letters[static_cast<std::size_t>(call.kind)]) != std::string_view::npos;
  const std::uint64_t number = counted ? control.calls.fetch_add(1) + 1 : 0;
  const bool later = settings.action == "fail-on" && number > settings.at;
  const bool met = counted && settings.at != 0 && (number == settings.at || later);
  if (met) ++control.triggered;
  const std::size_t half = call.size / 2;
  if (met && settings.action == "stop") ::kill(::getpid(), SIGSTOP);
  if (met && settings.action == "torn") {
    part(half);
    kill_the_job();
  }
  if (met && settings.action == "short" && half != 0) return part(half);
  if (met && settings.action == "fail-on" && call.kind == Kind::write && !later && half != 0) return part(half);
  if (met && settings.action.substr(0, 4) == "fail") {
    if (call.kind == Kind::close) whole();  // Linux closes in any case
    return fail(settings.error);
  }
  const bool logged = settings.log && call.kind != Kind::read;
  Record record{.bytes = 0,
                .kind = call.kind,
                .detail = static_cast<std::uint32_t>(call.name),
                .id = 0,
                .inode = call.inode,
                .offset = call.offset,
                .result = 0,
                .path_bytes = 0,
                .target_bytes = 0,
                .data_bytes = 0};
  if (logged) record.id = log(record, call);
  const long result = whole();
  const int error = errno;
  if (logged) {
    record.kind = Kind::end;
    record.inode = opened_inode(call.kind, result);
    record.result = result;
    log(record, {});
  }
  if (met && settings.action == "kill") kill_the_job();
  if (call.kind == Kind::write && settings.pause != 0) ::usleep(settings.pause);
  errno = error;
  return result;
}

template <class Whole>
long perform(const Call& call, Whole whole) {
  return perform(call, whole, [](std::size_t) { return 0L; });
}

int open_file(const char* path, int flags, mode_t mode) {
  const auto whole = [&] { return ::syscall(SYS_openat, AT_FDCWD, path, flags, mode); };
  if (!below_folder(path)) return static_cast<int>(whole());
  // The offset tells whether the file was there before.
  return static_cast<int>(perform({.kind = Kind::open, .path = path, .offset = inode_at(path) != 0 ? 1 : 0}, whole));
}

ssize_t write_at(int fd, const void* data, std::size_t size, off_t offset) {
  const auto part = [&](std::size_t bytes) { return ::syscall(SYS_pwrite64, fd, data, bytes, offset); };
  const auto whole = [&] { return part(size); };
  const WatchedFile file(fd);
  if (!file) return whole();
  Call call = file.call(Kind::write);
  call.offset = offset;
  call.size = size;
  call.data = {static_cast<const char*>(data), size};
  return perform(call, whole, part);
}

ssize_t write_here(int fd, const void* data, std::size_t size) {
  const auto part = [&](std::size_t bytes) { return ::syscall(SYS_write, fd, data, bytes); };
  const auto whole = [&] { return part(size); };
  const WatchedFile file(fd);
  if (!file) return whole();
  Call call = file.call(Kind::write);
  call.offset = ::lseek(fd, 0, SEEK_CUR);
  call.size = size;
  call.data = {static_cast<const char*>(data), size};
  return perform(call, whole, part);
}

// For logs and faults the pieces are written one by one.
ssize_t write_pieces(int fd, const iovec* pieces, int count, off_t offset, bool here) {
  ssize_t total = 0;
  for (const iovec* piece = pieces; piece != pieces + count; ++piece) {
    const ssize_t done = here ? write_here(fd, piece->iov_base, piece->iov_len)
                              : write_at(fd, piece->iov_base, piece->iov_len, offset + total);
    if (done < 0) return total != 0 ? total : -1;
    total += done;
    if (static_cast<std::size_t>(done) != piece->iov_len) break;
  }
  return total;
}

template <class Part>
ssize_t read_some(int fd, std::size_t size, Part part) {
  const WatchedFile file(fd);
  const auto whole = [&] { return part(size); };
  if (!file) return whole();
  Call call = file.call(Kind::read);
  call.size = size;
  return perform(call, whole, part);
}

// The operation log knows a new size as `offset`.
template <class Whole>
int resize_file(int fd, off_t size, Whole whole) {
  const WatchedFile file(fd);
  if (!file) return static_cast<int>(whole());
  Call call = file.call(Kind::size);
  call.offset = size;
  return static_cast<int>(perform(call, whole));
}

int allocate_file(int fd, int mode, off_t offset, off_t size) {
  if (settings.no_reserve) return static_cast<int>(fail(EOPNOTSUPP));
  return resize_file(fd, offset + size, [&] { return ::syscall(SYS_fallocate, fd, mode, offset, size); });
}

template <class Whole>
int simple_call(Kind kind, int fd, Whole whole) {
  const WatchedFile file(fd);
  return static_cast<int>(file ? perform(file.call(kind), whole) : whole());
}

int change_name(Name name, const char* path, const char* target, unsigned flags) {
  const auto whole = [&] {
    if (name == Name::unlink) return ::syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (name == Name::link) return ::syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, target, 0);
    return ::syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, target, flags);
  };
  if (!below_folder(path)) return static_cast<int>(whole());
  Call call{.kind = Kind::name, .path = path, .inode = inode_at(path), .name = name};
  if (target != nullptr) call.target = target;
  return static_cast<int>(perform(call, whole));
}

}  // namespace
}  // namespace h5score::faults

// ---- the C library's names. Every second one is that of 64-bit file offsets, which are the only ones here.

using namespace h5score::faults;

extern "C" {

#define H5SCORE_FAULTS_OPEN(name)                 \
  int name(const char* path, int flags, ...) {    \
    mode_t mode = 0;                              \
    if ((flags & (O_CREAT | __O_TMPFILE)) != 0) { \
      va_list rest;                               \
      va_start(rest, flags);                      \
      mode = va_arg(rest, mode_t);                \
      va_end(rest);                               \
    }                                             \
    return open_file(path, flags, mode);          \
  }
H5SCORE_FAULTS_OPEN(open)
H5SCORE_FAULTS_OPEN(open64)

int creat(const char* path, mode_t mode) {
  return open_file(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char* path, mode_t mode) {
  return creat(path, mode);
}
FILE* fopen64(const char* path, const char* mode) {
  static const auto real = reinterpret_cast<FILE* (*)(const char*, const char*)>(::dlsym(RTLD_NEXT, "fopen64"));
  if (!below_folder(path)) return real(path, mode);
  FILE* file = nullptr;
  perform({.kind = Kind::open, .path = path, .offset = 1}, [&] {
    file = real(path, mode);
    return file != nullptr ? 0L : -1L;
  });
  return file;
}
FILE* fopen(const char* path, const char* mode) {
  return fopen64(path, mode);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return write_at(fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  return write_at(fd, data, size, offset);
}
ssize_t write(int fd, const void* data, size_t size) {
  return write_here(fd, data, size);
}
ssize_t writev(int fd, const iovec* pieces, int count) {
  if (!WatchedFile(fd)) return ::syscall(SYS_writev, fd, pieces, count);
  return write_pieces(fd, pieces, count, 0, true);
}
ssize_t pwritev(int fd, const iovec* pieces, int count, off_t offset) {
  return write_pieces(fd, pieces, count, offset, false);
}
ssize_t pwritev64(int fd, const iovec* pieces, int count, off64_t offset) {
  return write_pieces(fd, pieces, count, offset, false);
}
ssize_t pread(int fd, void* data, size_t size, off_t offset) {
  return read_some(fd, size, [&](std::size_t bytes) { return ::syscall(SYS_pread64, fd, data, bytes, offset); });
}
ssize_t pread64(int fd, void* data, size_t size, off64_t offset) {
  return pread(fd, data, size, offset);
}
ssize_t read(int fd, void* data, size_t size) {
  return read_some(fd, size, [&](std::size_t bytes) { return ::syscall(SYS_read, fd, data, bytes); });
}
int ftruncate(int fd, off_t size) noexcept {
  return resize_file(fd, size, [&] { return ::syscall(SYS_ftruncate, fd, size); });
}
int ftruncate64(int fd, off64_t size) noexcept {
  return ftruncate(fd, size);
}
int fallocate(int fd, int mode, off_t offset, off_t size) {
  return allocate_file(fd, mode, offset, size);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t size) {
  return allocate_file(fd, mode, offset, size);
}
int posix_fallocate(int fd, off_t offset, off_t size) {
  return allocate_file(fd, 0, offset, size) == 0 ? 0 : errno;
}
int posix_fallocate64(int fd, off64_t offset, off64_t size) {
  return posix_fallocate(fd, offset, size);
}
int fsync(int fd) {
  return simple_call(Kind::sync, fd, [&] { return ::syscall(SYS_fsync, fd); });
}
int fdatasync(int fd) {
  return simple_call(Kind::sync, fd, [&] { return ::syscall(SYS_fdatasync, fd); });
}
int close(int fd) {
  return simple_call(Kind::close, fd, [&] { return ::syscall(SYS_close, fd); });
}
int rename(const char* from, const char* to) noexcept {
  return change_name(Name::rename, from, to, 0);
}
int renameat2(int, const char* from, int, const char* to, unsigned flags) noexcept {
  return change_name(Name::rename, from, to, flags);
}
int link(const char* from, const char* to) noexcept {
  return change_name(Name::link, from, to, 0);
}
int unlink(const char* path) noexcept {
  return change_name(Name::unlink, path, nullptr, 0);
}

}  // extern "C"

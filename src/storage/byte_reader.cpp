// preadv() over coalesced ranges.
#include "byte_reader.hpp"

#include "h5score/base/error.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;

constexpr u64 largest_gap = 4096;           // a hole up to here is read along: cheaper than another call
constexpr std::size_t most_pieces = 512;    // per call; POSIX guarantees 16, Linux 1024
constexpr u64 largest_call = u64{1} << 20;  // about 0.25 ms from the page cache, then transfers must progress

// Open files are kept for the next block, but most descriptors are left to the rest of the process.
std::size_t most_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1;
  return std::clamp<std::size_t>(limit.rlim_cur / 4, 1, 128);
}

ByteFile facts_of(const std::string& path, const struct stat& status) {
  return {path, static_cast<u64>(status.st_size),
          static_cast<base::i64>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec, false};
}

// A scatter list that fills in file order, with holes read into a throw-away page.
class Pieces {
 public:
  void add(std::byte* data, u64 size) {
    if (size != 0) list_.push_back({data, static_cast<std::size_t>(size)});
  }
  void skip(u64 size) { add(hole_.data(), size); }
  [[nodiscard]] bool empty() const { return next_ == list_.size(); }

  /// The front of the list up to largest_call bytes, as preadv() wants it.
  std::span<const iovec> front() {
    call_.clear();
    u64 total = 0;
    for (std::size_t i = next_; i < list_.size() && total < largest_call && call_.size() < most_pieces; ++i) {
      call_.push_back(list_[i]);
      call_.back().iov_len = std::min<std::size_t>(list_[i].iov_len, largest_call - total);
      total += call_.back().iov_len;
    }
    return call_;
  }
  void consume(std::size_t size) {
    while (size != 0) {
      auto& piece = list_[next_];
      const std::size_t part = std::min(size, piece.iov_len);
      piece.iov_base = static_cast<std::byte*>(piece.iov_base) + part;
      piece.iov_len -= part;
      size -= part;
      if (piece.iov_len == 0) ++next_;
    }
  }

 private:
  std::vector<iovec> list_;
  std::vector<iovec> call_;
  std::size_t next_ = 0;
  std::array<std::byte, largest_gap> hole_{};
};

}  // namespace

ByteFile stat_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    throw Error(ExitCode::no_input, path + ": cannot be opened", base::errno_text(errno));
  // Opening a pipe waits for its other end; of folders HDF5 itself tells.
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
    throw Error(ExitCode::no_input, path + ": cannot be opened", "it is not a regular file");
  return facts_of(path, status);
}

void check_same(const ByteFile& then, const ByteFile& now) {
  if (then.size != now.size)
    throw Error(ExitCode::data, now.path + ": changed while it was read",
                "its size was " + std::to_string(then.size) + " bytes and is " + std::to_string(now.size));
  if (then.mtime_ns != now.mtime_ns)
    throw Error(ExitCode::data, now.path + ": changed while it was read", "its modification time is another");
}

ByteReader::~ByteReader() {
  for (const auto& entry : open_) ::close(entry.fd);
}

int ByteReader::open(const ByteFile& file) {
  const auto found = std::find_if(open_.begin(), open_.end(), [&](const Open& o) { return o.path == file.path; });
  if (found != open_.end()) {
    open_.splice(open_.begin(), open_, found);
    return found->fd;
  }
  const int fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) throw Error(ExitCode::io, file.path + ": cannot be opened", base::errno_text(errno));
  // Advice only: a file system may ignore it.
  static_cast<void>(::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
  open_.push_front({file.path, fd});
  if (open_.size() > most_open_files()) {
    ::close(open_.back().fd);
    open_.pop_back();
  }
  return fd;
}

int ByteReader::descriptor(const ByteFile& file) {
  const int fd = open(file);
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw Error(ExitCode::io, file.path + ": cannot be read", base::errno_text(errno));
  check_same(file, facts_of(file.path, status));
  return fd;
}

void ByteReader::read(const ByteFile& file, std::span<ByteRange> ranges, std::byte* buffer, const Poll& poll) {
  const int fd = descriptor(file);
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
  const std::span<const ByteRange> all(ranges);
  for (std::size_t begin = 0; begin < all.size();) {
    std::size_t end = begin + 1;
    u64 at = all[begin].address + all[begin].size;
    while (end < all.size() && all[end].address >= at && all[end].address - at <= largest_gap) {
      at = all[end].address + all[end].size;
      ++end;
    }
    read_together(file, fd, all.subspan(begin, end - begin), buffer, poll);
    begin = end;
  }
}

void ByteReader::read_together(const ByteFile& file, int fd, std::span<const ByteRange> ranges, std::byte* buffer,
                               const Poll& poll) {
  Pieces pieces;
  u64 at = ranges.front().address;
  for (const auto& range : ranges) {
    pieces.skip(range.address - at);
    pieces.add(buffer + range.offset, range.size);
    at = range.address + range.size;
  }
  at = ranges.front().address;
  while (!pieces.empty()) {
    const auto call = pieces.front();
    const ssize_t n = ::preadv(fd, call.data(), static_cast<int>(call.size()), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      throw Error(ExitCode::io, file.path + ": reading failed at byte " + std::to_string(at),
                  n < 0 ? base::errno_text(errno) : "the file ends there");
    pieces.consume(static_cast<std::size_t>(n));
    at += static_cast<u64>(n);
    bytes_read_ += static_cast<u64>(n);
    if (poll) poll();
  }
}

}  // namespace h5score::storage

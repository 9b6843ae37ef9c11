// Windows of files at reserved addresses, populated piece by piece.
#include "mapped_reader.hpp"

#include "h5score/base/error.hpp"
#include "h5score/storage/block_reader.hpp"

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>

namespace h5score::storage {
namespace {

using base::ByteView;

// A piece that begins in a window lies within it and what overhangs. Columns have a window each.
constexpr u64 window_bytes = u64{16} << 20;
constexpr u64 overhang = u64{4} << 20;
constexpr u64 place_bytes = window_bytes + overhang;
constexpr std::size_t most_windows = 128;
constexpr u64 least_bytes = u64{8} << 10;  // fewer are copied in the time that two system calls take

#ifdef MADV_POPULATE_READ
constexpr int populate_read = MADV_POPULATE_READ;
#else
constexpr int populate_read = 22;  // Linux 5.14
#endif

// Network file systems read mapped pages in small requests, and cannot say why a page is lost.
constexpr u64 xfs_magic = 0x58465342;
constexpr std::array<u64, 5> local_file_systems{EXT4_SUPER_MAGIC, xfs_magic, BTRFS_SUPER_MAGIC, TMPFS_MAGIC,
                                                OVERLAYFS_SUPER_MAGIC};

u64 page_bytes() {
  return static_cast<u64>(std::max(4096L, ::sysconf(_SC_PAGESIZE)));
}

u64 down(u64 value, u64 unit) {
  return value / unit * unit;
}

bool is_local(const struct statfs& status) {
  return std::find(local_file_systems.begin(), local_file_systems.end(), static_cast<u64>(status.f_type)) !=
         local_file_systems.end();
}

}  // namespace

bool maps_files() {
  const char* const wanted = std::getenv("H5SCORE_MAP");
  return wanted == nullptr || std::string_view(wanted) != "off";
}

bool can_map(const std::string& path) {
  struct statfs status {};
  return ::statfs(path.c_str(), &status) == 0 && is_local(status);
}

MappedReader::MappedReader() : refused_(!maps_files()) {}

MappedReader::~MappedReader() {
  if (arena_ != nullptr) ::munmap(arena_, most_windows * place_bytes);
}

bool MappedReader::usable(u32 number, int fd) {
  const auto [found, first] = usable_.try_emplace(number, false);
  if (!first) return found->second && !refused_;
  struct statfs status {};
  found->second = ::fstatfs(fd, &status) == 0 && is_local(status);
  return found->second && !refused_;
}

// Addresses cost nothing; where a job may not have that many, files are read.
bool MappedReader::reserve() {
  if (arena_ != nullptr) return true;
  void* const memory =
      ::mmap(nullptr, most_windows * place_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return false;
  arena_ = static_cast<std::byte*>(memory);
  windows_.resize(most_windows);
  return guard_.guard({arena_, most_windows * place_bytes});
}

std::byte* MappedReader::window(u32 number, int fd, const ByteFile& file, u64 address) {
  const u64 wanted = address / window_bytes;
  auto oldest = windows_.begin();
  for (auto at = windows_.begin(); at != windows_.end(); ++at) {
    if (at->open && at->file == number && at->number == wanted) {
      at->last_use = ++uses_;
      return arena_ + static_cast<u64>(at - windows_.begin()) * place_bytes;
    }
    if (at->last_use < oldest->last_use) oldest = at;
  }
  std::byte* const place = arena_ + static_cast<u64>(oldest - windows_.begin()) * place_bytes;
  const u64 begin = wanted * window_bytes;
  const u64 size = std::min(place_bytes, file.size - begin);
  oldest->open = false;
  if (::mmap(place, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, static_cast<off_t>(begin)) == MAP_FAILED)
    return nullptr;
  // Advice only: a first reading of the file shall be as far ahead as read() would be.
  static_cast<void>(::madvise(place, size, MADV_SEQUENTIAL));
  *oldest = {.file = number, .number = wanted, .last_use = ++uses_, .open = true};
  return place;
}

std::optional<ByteView> MappedReader::view(u32 number, int fd, const ByteFile& file, u64 address, u64 size) {
  const u64 page = page_bytes();
  const u64 mapped_end = down(file.size + page - 1, page);  // zeros stand behind the file's end up to there
  if (refused_ || size < least_bytes || size > overhang - page || taken_ == most_windows || size > file.size ||
      address > file.size - size || address + size + slack > mapped_end)
    return std::nullopt;
  std::byte* const place = reserve() ? window(number, fd, file, address) : nullptr;
  if (place == nullptr) {
    refused_ = true;
    return std::nullopt;
  }
  ++taken_;
  const u64 inside = address % window_bytes;
  const u64 first = down(inside, page);
  if (::madvise(place + first, inside + size - first, populate_read) != 0) {
    // Too old a kernel, or bytes that are not there: read() will say why.
    refused_ = refused_ || errno == EINVAL;
    return std::nullopt;
  }
  populated_.push_back({place + first, inside + size - first});
  if (paths_.empty() || paths_.back() != file.path) paths_.push_back(file.path);
  bytes_mapped_ += size;
  return ByteView{place + inside, size};
}

void MappedReader::release() {
  for (const auto& part : populated_) static_cast<void>(::madvise(part.first, part.size, MADV_DONTNEED));
  populated_.clear();
  taken_ = 0;
  paths_.clear();
}

void MappedReader::check() const {
  if (guard_.lost())
    throw base::Error(base::ExitCode::io,
                      (paths_.empty() ? std::string("an input") : paths_.front()) + ": reading failed",
                      "the file became shorter while it was read, or its disk has an error");
}

}  // namespace h5score::storage

// Rows used where the kernel's page cache has them, without a copy: on local file systems that saves half of what
// reading costs (docs/performance.md).
#pragma once

#include "h5score/base/types.hpp"

#include "bus_guard.hpp"
#include "byte_reader.hpp"

#include <map>
#include <optional>
#include <vector>

namespace h5score::storage {

/// One thread's windows into the files of a run. Bytes of a window are mapped when they are asked for and given back
/// when release() is called, so that resident memory stays small.
class MappedReader {
 public:
  /// With H5SCORE_MAP=off in the environment nothing is mapped.
  MappedReader();
  MappedReader(const MappedReader&) = delete;
  MappedReader& operator=(const MappedReader&) = delete;
  ~MappedReader();

  /// True if the file is on a file system where mapping is as safe and at least as fast as reading.
  bool usable(u32 number, int fd);

  /// The bytes [address, address + size) of an open file with this number, or nothing where they have to be read (too
  /// few or too many at once, at the file's very end, or the kernel is too old). They stay until release(); up to
  /// `slack` bytes behind them may be looked at.
  std::optional<base::ByteView> view(u32 number, int fd, const ByteFile& file, u64 address, u64 size);
  static constexpr u64 slack = 64;

  /// Gives back all views.
  void release();
  /// Throws Error(io) if bytes of a view could not be read although they had been there.
  void check() const;

  [[nodiscard]] u64 bytes_mapped() const { return bytes_mapped_; }

 private:
  struct Window {
    u32 file = 0;
    u64 number = 0;  ///< of its first byte by window_bytes
    u64 last_use = 0;
    bool open = false;
  };
  struct Populated {
    std::byte* first = nullptr;
    u64 size = 0;
  };
  bool reserve();
  std::byte* window(u32 number, int fd, const ByteFile& file, u64 address);

  std::map<u32, bool> usable_;
  std::byte* arena_ = nullptr;  ///< reserved addresses: one place for each window
  bool refused_ = false;        ///< the kernel cannot do it
  BusGuard guard_;
  std::vector<Window> windows_;
  u64 uses_ = 0;
  u64 bytes_mapped_ = 0;
  std::vector<Populated> populated_;  ///< since the last release()
  std::size_t taken_ = 0;             ///< windows since then, at most: none of them may be given to another piece
  std::vector<std::string> paths_;    ///< of these, for messages
};

}  // namespace h5score::storage

// Reads byte ranges of many files into one buffer, by file descriptors of its own: no library, no locks.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/storage/layout.hpp"

#include <list>
#include <span>
#include <string>
#include <vector>

namespace h5score::storage {

/// A file and what it looked like when it was opened first.
struct ByteFile {
  std::string path;
  u64 size = 0;
  base::i64 mtime_ns = 0;
  bool ours_alone = false;  ///< no other process can open it
};

/// Size and modification time now. Throws Error(no_input) naming the path.
ByteFile stat_file(const std::string& path);

/// Bytes [address, address + size) of a file, wanted at `offset` of the buffer.
struct ByteRange {
  u64 address = 0;
  u64 size = 0;
  u64 offset = 0;
};

class ByteReader {
 public:
  ByteReader() = default;
  ByteReader(const ByteReader&) = delete;
  ByteReader& operator=(const ByteReader&) = delete;
  ~ByteReader();

  /// Reads all ranges of one file, neighbours together, and sorts them. Throws Error(io) with path and offset for a
  /// failed or short read, Error(data) where the file's size or modification time is not that of `file`.
  void read(const ByteFile& file, std::span<ByteRange> ranges, std::byte* buffer, const Poll& poll);

  /// The file, open for reading; its owner may close it when another file is opened. Throws as read() does.
  int descriptor(const ByteFile& file);

  /// Bytes read so far.
  [[nodiscard]] u64 bytes_read() const { return bytes_read_; }

 private:
  struct Open {
    std::string path;
    int fd = -1;
  };
  int open(const ByteFile& file);
  void read_together(const ByteFile& file, int fd, std::span<const ByteRange> ranges, std::byte* buffer,
                     const Poll& poll);

  std::list<Open> open_;  ///< most recently used first
  u64 bytes_read_ = 0;
};

/// Throws Error(data) if `now` differs from `then`.
void check_same(const ByteFile& then, const ByteFile& now);

}  // namespace h5score::storage

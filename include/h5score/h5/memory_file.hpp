// New HDF5 files that are made in memory and then written by ourselves, so that the library never writes to a disk: one
// that fills up or fails while HDF5 1.10 closes a file leaves the library in a state in which it crashes later.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/h5/handle.hpp"

#include <functional>
#include <map>

namespace h5score::h5 {

/// The bytes of a file in memory, as far as HDF5 wrote any: the room of datasets that are only allocated costs nothing.
class MemoryFile {
 public:
  static constexpr base::u64 page_bytes = 4096;

  /// Bytes of the whole file, with the room that nothing was written to.
  [[nodiscard]] base::u64 size() const { return size_; }
  /// Calls `write(offset, bytes)` for every stretch that was written, in ascending order. What lies between them is
  /// zero.
  void each_stretch(const std::function<void(base::u64 offset, base::ByteView bytes)>& write) const;
  /// The whole file, for one that is all data.
  [[nodiscard]] base::Bytes bytes() const;

  // What the file driver calls.
  void put(base::u64 offset, base::ByteView bytes) noexcept;
  void get(base::u64 offset, std::span<std::byte> bytes) const noexcept;
  void resize(base::u64 size) noexcept { size_ = size; }
  /// Throws std::bad_alloc if memory ran out in put(). The library is not told: it could not close the file then.
  void check() const;

 private:
  std::map<base::u64, base::Bytes> pages_;  ///< by number
  base::u64 size_ = 0;
  bool exhausted_ = false;
};

/// Creates an HDF5 file in `memory`, which must outlive it. `access` is a file access list; its driver is replaced.
/// After the file is closed, memory.check() must be called.
Handle create_file(MemoryFile& memory, Handle access);

/// The bytes of the file that `write` makes. Throws what it throws, and std::bad_alloc.
base::Bytes file_image(const std::function<void(const Handle& file)>& write);

}  // namespace h5score::h5

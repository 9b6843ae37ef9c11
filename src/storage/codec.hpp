// Decoding of chunks by the filters that nearly every file uses: gzip, lzf, shuffle, fletcher32.
#pragma once

#include "h5score/base/aligned_buffer.hpp"
#include "h5score/base/types.hpp"
#include "h5score/storage/layout.hpp"

#include "unshuffle.hpp"

#include <array>
#include <memory>
#include <span>
#include <vector>

struct libdeflate_decompressor;

namespace h5score::storage {

/// HDF5's Fletcher-32: sums of big-endian 16-bit words, modulo 65535.
[[nodiscard]] u32 fletcher32(base::ByteView data);

/// Scratch memory and decompressor of one thread.
class Codec {
 public:
  Codec();
  Codec(Codec&&) noexcept;
  Codec& operator=(Codec&&) noexcept;
  ~Codec();

  /// True if the pipeline has no filter but ours, and at most one that changes the size.
  [[nodiscard]] static bool handles(const std::vector<h5::Filter>& filters);

  /// Undoes the filters that `mask` does not skip, last one first, into `out`, which has the decoded chunk's size.
  /// Throws Error(data) where the bytes are corrupt.
  void decode(base::ByteView stored, const std::vector<h5::Filter>& filters, u32 mask, std::span<std::byte> out);

 private:
  void inflate(base::ByteView data, std::span<std::byte> out);

  struct Free {
    void operator()(libdeflate_decompressor* d) const;
  };
  std::unique_ptr<libdeflate_decompressor, Free> inflater_;
  std::array<base::AlignedBuffer, 2> scratch_;
};

}  // namespace h5score::storage

// The decoder, and the filter that the library calls.
#include "h5score/h5/lzf.hpp"

#include "h5score/h5/dataset.hpp"
#include "h5score/h5/handle.hpp"

#include <cstring>

namespace h5score::h5 {
namespace {

using base::ByteView;

// Bytes that LZF data expand to. (The size that h5py stores beside it is a guess: wrong for texts of variable length.)
std::size_t expanded_size(ByteView data) {
  std::size_t size = 0;
  for (std::size_t in = 0; in < data.size();) {
    const auto control = static_cast<std::size_t>(data[in++]);
    if (control < 32) {
      size += control + 1;
      in += control + 1;
      continue;
    }
    std::size_t count = (control >> 5) + 2;
    if (count == 9 && in < data.size()) count += static_cast<std::size_t>(data[in++]);
    size += count;
    ++in;
  }
  return size;
}

// As H5Z_func_t wants it: 0 is failure.
std::size_t filter(unsigned flags, std::size_t /*values*/, const unsigned* /*value*/, std::size_t bytes,
                   std::size_t* buffer_size, void** buffer) noexcept {
  if ((flags & H5Z_FLAG_REVERSE) == 0) return 0;
  const ByteView stored(static_cast<const std::byte*>(*buffer), bytes);
  const std::size_t size = expanded_size(stored);
  auto* out = size == 0 ? nullptr : static_cast<std::byte*>(H5allocate_memory(size, false));
  if (out == nullptr) return 0;
  if (!expand_lzf(stored, {out, size})) {
    H5free_memory(out);
    return 0;
  }
  H5free_memory(*buffer);
  *buffer = out;
  *buffer_size = size;
  return size;
}

}  // namespace

bool expand_lzf(ByteView data, std::span<std::byte> out) {
  std::size_t in = 0;
  std::size_t done = 0;
  while (in < data.size()) {
    const auto control = static_cast<std::size_t>(data[in++]);
    if (control < 32) {  // control + 1 literal bytes
      const std::size_t count = control + 1;
      if (count > data.size() - in || count > out.size() - done) return false;
      std::memcpy(out.data() + done, data.data() + in, count);
      in += count;
      done += count;
      continue;
    }
    // A copy of earlier output: three bits of length (7: one more byte adds to it), thirteen of distance.
    std::size_t count = (control >> 5) + 2;
    if (count == 9) {
      if (in == data.size()) return false;
      count += static_cast<std::size_t>(data[in++]);
    }
    if (in == data.size()) return false;
    const std::size_t distance = ((control & 31U) << 8 | static_cast<std::size_t>(data[in++])) + 1;
    if (distance > done || count > out.size() - done) return false;
    if (distance >= count) {
      std::memcpy(out.data() + done, out.data() + done - distance, count);
    } else {  // byte by byte: the source runs into what is being written
      for (std::size_t i = done; i < done + count; ++i) out[i] = out[i - distance];
    }
    done += count;
  }
  return done == out.size();
}

void register_lzf() {
  const H5Z_class2_t description{.version = H5Z_CLASS_T_VERS,
                                 .id = static_cast<H5Z_filter_t>(Filter::lzf),
                                 .encoder_present = 0,
                                 .decoder_present = 1,
                                 .name = "lzf",
                                 .can_apply = nullptr,
                                 .set_local = nullptr,
                                 .filter = filter};
  check(H5Zregister(&description), "the lzf filter cannot be registered", base::ExitCode::internal);
}

}  // namespace h5score::h5

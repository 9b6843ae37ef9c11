// Planes to elements: 16 elements at a time by interleaving, where the machine has SSE2 (every x86-64), else byte by
// byte.
#include "unshuffle.hpp"

#include <algorithm>
#include <array>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace h5score::storage {
namespace {

template <std::size_t Size>
void unshuffle_bytes(const std::byte* __restrict planes, u64 distance, u64 count, std::byte* __restrict out) {
  for (u64 i = 0; i < count; ++i)
    for (u64 k = 0; k < Size; ++k) out[i * Size + k] = planes[k * distance + i];
}

#if defined(__SSE2__)
constexpr u64 lanes = 16;

struct Vector {
  __m128i bytes;
};

// Each pass interleaves the first half of the vectors with the second, byte by byte: after log2(Size) passes whole
// elements follow each other.
template <std::size_t Size>
void unshuffle_16(const std::byte* planes, u64 distance, std::byte* out) {
  std::array<Vector, Size> now;
  for (std::size_t k = 0; k < Size; ++k)
    now[k].bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(planes + k * distance));
  for (std::size_t pass = 1; pass < Size; pass *= 2) {
    std::array<Vector, Size> next;
    for (std::size_t k = 0; k < Size / 2; ++k) {
      next[2 * k].bytes = _mm_unpacklo_epi8(now[k].bytes, now[k + Size / 2].bytes);
      next[2 * k + 1].bytes = _mm_unpackhi_epi8(now[k].bytes, now[k + Size / 2].bytes);
    }
    now = next;
  }
  for (std::size_t k = 0; k < Size; ++k) _mm_storeu_si128(reinterpret_cast<__m128i*>(out + k * lanes), now[k].bytes);
}

template <std::size_t Size>
void unshuffle_elements(const std::byte* planes, u64 distance, u64 count, std::byte* out) {
  if (count < lanes) return unshuffle_bytes<Size>(planes, distance, count, out);
  for (u64 i = 0; i + lanes <= count; i += lanes) unshuffle_16<Size>(planes + i, distance, out + i * Size);
  const u64 last = count - lanes;  // overlaps what was done
  unshuffle_16<Size>(planes + last, distance, out + last * Size);
}
#else
template <std::size_t Size>
void unshuffle_elements(const std::byte* planes, u64 distance, u64 count, std::byte* out) {
  unshuffle_bytes<Size>(planes, distance, count, out);
}
#endif

// Any size: in strips, so that the strided writes of one strip stay in the cache.
void unshuffle_any(const std::byte* planes, u64 distance, u64 size, u64 count, std::byte* out) {
  constexpr u64 strip = 4096;
  for (u64 begin = 0; begin < count; begin += strip)
    for (u64 k = 0; k < size; ++k)
      for (u64 i = begin; i < std::min(count, begin + strip); ++i) out[i * size + k] = planes[k * distance + i];
}

}  // namespace

void unshuffle(const std::byte* planes, u64 distance, u64 size, u64 count, std::byte* out) {
  switch (size) {
    case 1:
      std::copy_n(planes, count, out);
      break;
    case 2:
      unshuffle_elements<2>(planes, distance, count, out);
      break;
    case 4:
      unshuffle_elements<4>(planes, distance, count, out);
      break;
    case 8:
      unshuffle_elements<8>(planes, distance, count, out);
      break;
    default:
      unshuffle_any(planes, distance, size, count, out);
  }
}

void unshuffle(base::ByteView stored, u64 element_size, std::byte* out) {
  const u64 n = element_size == 0 ? 0 : stored.size() / element_size;
  unshuffle(stored.data(), n, element_size, n, out);
  std::copy(stored.begin() + static_cast<std::ptrdiff_t>(n * element_size), stored.end(), out + n * element_size);
}

}  // namespace h5score::storage

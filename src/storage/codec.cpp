// gzip, shuffle and fletcher32 as HDF5 1.10 writes them (HDF5 File Format Specification 3.0, filter pipeline message),
// and lzf, h5py's own filter.
#include "codec.hpp"

#include "h5score/base/error.hpp"
#include "h5score/h5/lzf.hpp"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace h5score::storage {
namespace {

using base::ByteView;
using base::Error;
using base::ExitCode;
using h5::Filter;

constexpr u64 checksum_bytes = 4;
// Deflate cannot expand more than this: a chunk that would is corrupt, and is not allocated for.
constexpr u64 most_expansion = 1032;

bool changes_size(const Filter& filter) {
  return filter.id == Filter::deflate || filter.id == Filter::lzf;
}

[[noreturn]] void corrupt(const std::string& why) {
  throw Error(ExitCode::data, "a chunk is corrupt", why);
}

u32 little_endian_32(const std::byte* p) {
  u32 value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= static_cast<u32>(p[i]) << (8 * i);
  return value;
}

// Releases before 1.6.3 swapped the bytes of both halves on little-endian machines.
u32 swap_halves(u32 sum) {
  return (sum & 0x00ff00ffU) << 8 | (sum & 0xff00ff00U) >> 8;
}

ByteView checked(ByteView data) {
  if (data.size() < checksum_bytes) corrupt("it is shorter than its checksum");
  const ByteView body = data.first(data.size() - checksum_bytes);
  const u32 stored = little_endian_32(data.data() + body.size());
  const u32 computed = fletcher32(body);
  if (stored != computed && stored != swap_halves(computed)) corrupt("its fletcher32 checksum does not match");
  return body;
}

}  // namespace

u32 fletcher32(ByteView data) {
  constexpr std::size_t most_words = 360;  // before a 32-bit sum of 16-bit words can overflow
  const std::byte* p = data.data();
  std::size_t words = data.size() / 2;
  u32 low = 0;
  u32 high = 0;
  const auto fold = [](u32 sum) { return (sum & 0xffffU) + (sum >> 16); };
  while (words != 0) {
    const std::size_t run = std::min(words, most_words);
    words -= run;
    // The second sum adds every word as often as words follow it, itself included: no loop-carried chain.
    u32 sum = 0;
    u32 weighted = 0;
    for (std::size_t i = 0; i < run; ++i) {
      std::uint16_t word = 0;
      std::memcpy(&word, p + 2 * i, sizeof word);
      if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap16(word);
      sum += word;
      weighted += u32{word} * static_cast<std::uint16_t>(run - i);
    }
    p += 2 * run;
    high += static_cast<u32>(run) * low + weighted;
    low += sum;
    low = fold(low);
    high = fold(high);
  }
  if (data.size() % 2 != 0) {
    low += static_cast<u32>(*p) << 8;
    high += low;
    low = fold(low);
    high = fold(high);
  }
  return fold(high) << 16 | fold(low);
}

void Codec::Free::operator()(libdeflate_decompressor* d) const {
  libdeflate_free_decompressor(d);
}

Codec::Codec() : inflater_(libdeflate_alloc_decompressor()) {
  if (!inflater_) throw std::bad_alloc();
}
Codec::Codec(Codec&&) noexcept = default;
Codec& Codec::operator=(Codec&&) noexcept = default;
Codec::~Codec() = default;

bool Codec::handles(const std::vector<Filter>& filters) {
  const auto ours = [](const Filter& f) {
    return changes_size(f) || f.id == Filter::fletcher32 || (f.id == Filter::shuffle && !f.values.empty());
  };
  return std::all_of(filters.begin(), filters.end(), ours) &&
         std::count_if(filters.begin(), filters.end(), changes_size) <= 1;
}

void Codec::inflate(ByteView data, std::span<std::byte> out) {
  std::size_t produced = 0;
  std::size_t consumed = 0;
  const auto result = libdeflate_zlib_decompress_ex(inflater_.get(), data.data(), data.size(), out.data(), out.size(),
                                                    &consumed, &produced);
  if (result != LIBDEFLATE_SUCCESS)
    corrupt("its gzip data cannot be inflated to " + std::to_string(out.size()) + " bytes");
  if (produced != out.size())
    corrupt("its gzip data inflates to " + std::to_string(produced) + " bytes instead of " +
            std::to_string(out.size()));
}

void Codec::decode(ByteView stored, const std::vector<Filter>& filters, u32 mask, std::span<std::byte> out) {
  std::vector<const Filter*> steps;  // in the order of decoding
  for (std::size_t i = filters.size(); i-- > 0;)
    if ((mask >> i & 1U) == 0) steps.push_back(&filters[i]);
  ByteView now = stored;
  unsigned turn = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Filter& step = *steps[i];
    if (step.id == Filter::fletcher32) {
      now = checked(now);
      continue;
    }
    // What is left to undo after an expansion only takes checksums away; before it, the size stays.
    const auto checksums = std::count_if(steps.begin() + static_cast<std::ptrdiff_t>(i) + 1, steps.end(),
                                         [](const Filter* f) { return f->id == Filter::fletcher32; });
    const u64 size = changes_size(step) ? out.size() + checksum_bytes * static_cast<u64>(checksums) : now.size();
    if (size / most_expansion > now.size()) corrupt("it is too short for its contents");
    const bool last = i + 1 == steps.size() && size == out.size();
    if (!last) scratch_[turn].resize(size);
    std::byte* target = last ? out.data() : scratch_[turn].data();
    if (step.id == Filter::shuffle)
      unshuffle(now, step.values[0], target);
    else if (step.id == Filter::deflate)
      inflate(now, {target, size});
    else if (!h5::expand_lzf(now, {target, size}))
      corrupt("its lzf data cannot be expanded to " + std::to_string(size) + " bytes");
    now = {target, size};
    turn ^= 1U;
  }
  if (now.size() != out.size())
    corrupt("it holds " + std::to_string(now.size()) + " bytes instead of " + std::to_string(out.size()));
  if (now.data() != out.data()) std::copy(now.begin(), now.end(), out.begin());
}

}  // namespace h5score::storage

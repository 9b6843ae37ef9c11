// Loops that the compiler vectorises, one per stored type and byte order.
#include "convert.hpp"

#include "h5score/base/error.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace h5score::storage {
namespace {

using base::ElementKind;

// Stands for IEEE binary16.
struct Half {
  std::uint16_t bits;
};

// By shifting the fields into a binary32 and scaling by 2^112 = the difference of the biases, which also normalises
// subnormals; infinities and NaNs, whose exponent is all ones, get binary32's.
float half_to_float(u32 half) {
  const u32 magnitude = (half & 0x7fffU) << 13;
  const u32 scaled = std::bit_cast<u32>(std::bit_cast<float>(magnitude) * 0x1p112F);
  const u32 special = magnitude >= 0x0f800000U ? 0x7f800000U : 0U;
  return std::bit_cast<float>(scaled | special | (half & 0x8000U) << 16);
}

template <std::size_t Size>
struct Unsigned;
template <>
struct Unsigned<1> {
  using type = std::uint8_t;
};
template <>
struct Unsigned<2> {
  using type = std::uint16_t;
};
template <>
struct Unsigned<4> {
  using type = std::uint32_t;
};
template <>
struct Unsigned<8> {
  using type = std::uint64_t;
};

inline std::uint8_t swap_bytes(std::uint8_t v) {
  return v;
}
inline std::uint16_t swap_bytes(std::uint16_t v) {
  return __builtin_bswap16(v);
}
inline std::uint32_t swap_bytes(std::uint32_t v) {
  return __builtin_bswap32(v);
}
inline std::uint64_t swap_bytes(std::uint64_t v) {
  return __builtin_bswap64(v);
}

template <class T, class Stored, bool Swap>
T load(const std::byte* p) {
  using Bits = typename Unsigned<sizeof(Stored)>::type;
  Bits bits;
  std::memcpy(&bits, p, sizeof bits);
  if constexpr (Swap) bits = swap_bytes(bits);
  if constexpr (std::is_same_v<Stored, Half>)
    return static_cast<T>(half_to_float(bits));
  else
    return static_cast<T>(std::bit_cast<Stored>(bits));
}

template <class T, class Stored, bool Swap>
void convert(const RawRows& rows, std::span<const ColumnRun> columns, u64 first, u64 count, T* out, u64 stride) {
  for (u64 row = 0; row < count; ++row) {
    const std::byte* in = rows.data + (first + row) * rows.row_bytes;
    T* __restrict to = out + row * stride;
    T* const end = to + stride;
    for (const auto& run : columns) {
      const std::byte* from = in + run.begin * sizeof(Stored);
      if constexpr (std::is_same_v<T, Stored> && !Swap) {
        std::memcpy(to, from, run.count * sizeof(T));
      } else {
        for (u64 i = 0; i < run.count; ++i) to[i] = load<T, Stored, Swap>(from + i * sizeof(Stored));
      }
      to += run.count;
    }
    std::fill(to, end, T{0});
  }
}

template <class T, bool Swap>
auto choose(const base::ElementType& type) {
  using Function = void (*)(const RawRows&, std::span<const ColumnRun>, u64, u64, T*, u64);
  Function function = nullptr;
  switch (type.kind) {
    case ElementKind::signed_integer:
      if (type.size == 1) function = convert<T, std::int8_t, Swap>;
      if (type.size == 2) function = convert<T, std::int16_t, Swap>;
      if (type.size == 4) function = convert<T, std::int32_t, Swap>;
      if (type.size == 8) function = convert<T, std::int64_t, Swap>;
      break;
    case ElementKind::unsigned_integer:
      if (type.size == 1) function = convert<T, std::uint8_t, Swap>;
      if (type.size == 2) function = convert<T, std::uint16_t, Swap>;
      if (type.size == 4) function = convert<T, std::uint32_t, Swap>;
      if (type.size == 8) function = convert<T, std::uint64_t, Swap>;
      break;
    case ElementKind::floating:
      if (type.size == 2) function = convert<T, Half, Swap>;
      if (type.size == 4) function = convert<T, float, Swap>;
      if (type.size == 8) function = convert<T, double, Swap>;
      break;
    case ElementKind::fixed_string:
      break;
  }
  if (function == nullptr)
    throw base::Error(base::ExitCode::internal, "rows of type " + to_string(type) + " cannot be converted");
  return function;
}

}  // namespace

template <class T>
void convert_rows(const RawRows& rows, std::span<const ColumnRun> columns, u64 first, u64 count, T* out, u64 stride) {
  const bool swap = rows.type.big_endian != (std::endian::native == std::endian::big);
  const auto function = swap ? choose<T, true>(rows.type) : choose<T, false>(rows.type);
  function(rows, columns, first, count, out, stride);
}

template void convert_rows(const RawRows&, std::span<const ColumnRun>, u64, u64, float*, u64);
template void convert_rows(const RawRows&, std::span<const ColumnRun>, u64, u64, double*, u64);

}  // namespace h5score::storage

// The kinds of damage, and where they are done.
#include "mutation.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace h5score::fuzz {
namespace {

using base::Bytes;
using base::ByteView;
using base::u64;

constexpr std::string_view hdf5_signature = "\x89HDF\r\n\x1a\n";
// Groups, heaps, B-trees and object headers of both generations (HDF5 File Format Specification, version 3).
constexpr std::array<std::string_view, 14> structure_signatures{"TREE", "SNOD", "HEAP", "GCOL", "OHDR", "OCHK", "FRHP",
                                                                "FHDB", "FHIB", "FSHD", "FSSE", "BTHD", "BTLF", "FADB"};
constexpr std::array<u64, 18> extreme{0,
                                      1,
                                      2,
                                      7,
                                      0x7F,
                                      0x80,
                                      0xFF,
                                      0xFFFF,
                                      0x10000,
                                      0x7FFFFFFF,
                                      0x80000000,
                                      0xFFFFFFFF,
                                      u64{1} << 40,
                                      u64{1} << 61,
                                      (u64{1} << 63) - 1,
                                      u64{1} << 63,
                                      ~u64{0} - 7,
                                      ~u64{0}};
constexpr std::array<std::string_view, 20> tokens{"0",
                                                  "-1",
                                                  "1e308",
                                                  "-1e-320",
                                                  "nan",
                                                  "inf",
                                                  "18446744073709551615",
                                                  "999999999999999999999",
                                                  "4294967296",
                                                  "",
                                                  " ",
                                                  "\n",
                                                  "null",
                                                  "true",
                                                  "[",
                                                  "{",
                                                  "\"",
                                                  "1:1",
                                                  "1:",
                                                  ":"};

std::string_view text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool is_text(ByteView bytes) {
  const auto printable = [](char c) { return (c >= 0x20 && c < 0x7F) || c == '\n' || c == '\t' || c == '\r'; };
  const std::string_view all = text(bytes);
  return std::all_of(all.begin(), all.end(), printable);
}

}  // namespace

Bytes Mutator::damaged(ByteView original, ByteView other) {
  Bytes bytes(original.begin(), original.end());
  hdf5_ = text(original).starts_with(hdf5_signature);
  text_ = !hdf5_ && is_text(original);
  structures_.clear();
  if (hdf5_)
    for (const auto signature : structure_signatures)
      for (auto at = text(original).find(signature); at != std::string_view::npos;
           at = text(original).find(signature, at + 1))
        structures_.push_back(at);
  const std::size_t times = below(2) == 0 ? 1 : 1 + below(8);
  for (std::size_t i = 0; i < times; ++i) damage(bytes, other);
  if (below(16) == 0) bytes.resize(below(bytes.size() + 1));
  return bytes;
}

void Mutator::damage(Bytes& bytes, ByteView other) {
  if (bytes.empty()) bytes.push_back(static_cast<std::byte>(below(256)));
  if (text_ && below(2) == 0) return damage_text(bytes);
  switch (below(8)) {
    case 0:
    case 1:
      bytes[place(bytes)] ^= static_cast<std::byte>(1U << below(8));
      break;
    case 2:
      bytes[place(bytes)] = static_cast<std::byte>(below(256));
      break;
    case 3:
    case 4:
      put_number(bytes);
      break;
    case 5:
      move_address(bytes);
      break;
    case 6:
      move_piece(bytes, below(4) == 0 ? other : ByteView(bytes));
      break;
    default: {
      const std::size_t begin = place(bytes);
      const std::size_t size = std::min(bytes.size() - begin, 1 + below(32));
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin), size, static_cast<std::byte>(below(2) * 0xFF));
    }
  }
}

std::size_t Mutator::place(const Bytes& bytes) {
  return hdf5_ && below(8) != 0 ? hdf5_place(bytes) : below(bytes.size());
}

// Near a structure's beginning, in the superblock, or where a number stands that could be an address or a size.
std::size_t Mutator::hdf5_place(const Bytes& bytes) {
  const std::size_t way = below(4);
  if (way == 0) return std::min(below(96), bytes.size() - 1);
  if (way == 1 && !structures_.empty())
    return std::min(structures_[below(structures_.size())] + below(96), bytes.size() - 1);
  for (int attempt = 0; attempt < 16; ++attempt) {
    const std::size_t at = below(bytes.size() / 8 + 1) * 8;
    if (at + 8 > bytes.size()) continue;
    u64 number = 0;
    std::memcpy(&number, bytes.data() + at, 8);
    if (number != 0 && (number < (u64{1} << 32) || number == ~u64{0})) return at + below(8);
  }
  return below(bytes.size());
}

void Mutator::put_number(Bytes& bytes) {
  const std::size_t size = std::size_t{1} << below(4);
  std::size_t at = place(bytes);
  if (below(2) == 0) at = at / size * size;
  if (at + size > bytes.size()) return;
  u64 number = extreme[below(extreme.size())];
  if (below(4) == 0) {
    std::memcpy(&number, bytes.data() + at, size);
    number += below(2) == 0 ? 1 + below(16) : ~u64{0} - below(16);
  }
  std::memcpy(bytes.data() + at, &number, size);
}

// One 64-bit word in the place of another: an address that leads elsewhere, perhaps in a circle.
void Mutator::move_address(Bytes& bytes) {
  if (bytes.size() < 16) return;
  const std::size_t from = std::min(place(bytes) / 8 * 8, bytes.size() - 8);
  const std::size_t to = std::min(place(bytes) / 8 * 8, bytes.size() - 8);
  std::memmove(bytes.data() + to, bytes.data() + from, 8);
}

void Mutator::move_piece(Bytes& bytes, ByteView from) {
  if (from.empty()) return;
  const std::size_t begin = below(from.size());
  const std::size_t size = std::min(from.size() - begin, 1 + below(64));
  const Bytes piece(from.begin() + static_cast<std::ptrdiff_t>(begin),
                    from.begin() + static_cast<std::ptrdiff_t>(begin + size));
  const auto at = static_cast<std::ptrdiff_t>(place(bytes));
  if (!hdf5_ && below(2) == 0)
    bytes.insert(bytes.begin() + at, piece.begin(), piece.end());
  else
    std::copy_n(piece.begin(), std::min(size, bytes.size() - static_cast<std::size_t>(at)), bytes.begin() + at);
}

// Replaces a token, repeats or drops a line.
void Mutator::damage_text(Bytes& bytes) {
  const std::string_view all = text(bytes);
  const auto end_of = [&](std::string_view ends, std::size_t from) {
    return std::min(all.find_first_of(ends, from), all.size());
  };
  const auto at = [&](std::size_t i) { return bytes.begin() + static_cast<std::ptrdiff_t>(i); };
  const std::size_t way = below(4);
  constexpr std::string_view separators = " \n:,[]{}\"'()=";
  const std::string_view ends = way < 2 ? separators : "\n";
  const std::size_t begin = std::min(end_of(ends, below(all.size())) + 1, all.size());
  const std::size_t end = end_of(ends, begin);
  if (way < 2) {
    const std::string_view token = tokens[below(tokens.size())];
    bytes.erase(at(begin), at(end));
    const auto* data = reinterpret_cast<const std::byte*>(token.data());
    bytes.insert(at(begin), data, data + token.size());
  } else if (way == 2) {
    const Bytes line(at(begin), at(std::min(end + 1, bytes.size())));
    bytes.insert(at(begin), line.begin(), line.end());
  } else {
    bytes.erase(at(begin), at(std::min(end + 1, bytes.size())));
  }
}

}  // namespace h5score::fuzz

// Damages bytes in ways that get past the first check of a parser: flipped bits, extreme numbers, moved pieces; in HDF5
// files above all where the library keeps its metadata, in texts by tokens. The same seed gives the same damage
// everywhere.
#pragma once

#include "h5score/base/types.hpp"

#include <random>

namespace h5score::fuzz {

class Mutator {
 public:
  explicit Mutator(base::u32 seed) : random_(seed) {}

  /// A damaged copy of `original`; `other` lends it pieces.
  base::Bytes damaged(base::ByteView original, base::ByteView other);

 private:
  // Not std::uniform_int_distribution, whose numbers differ between libraries.
  std::size_t below(std::size_t n) { return n == 0 ? 0 : random_() % n; }
  std::size_t place(const base::Bytes& bytes);
  std::size_t hdf5_place(const base::Bytes& bytes);
  void damage(base::Bytes& bytes, base::ByteView other);
  void damage_text(base::Bytes& bytes);
  void put_number(base::Bytes& bytes);
  void move_address(base::Bytes& bytes);
  void move_piece(base::Bytes& bytes, base::ByteView from);

  std::mt19937 random_;
  std::vector<std::size_t> structures_;  // of an HDF5 file: where metadata begins that has a signature
  bool hdf5_ = false;
  bool text_ = false;
};

}  // namespace h5score::fuzz

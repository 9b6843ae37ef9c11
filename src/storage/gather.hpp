// The features of one binding from the arrays of a block: a list of moves of neighbouring columns, made once per
// format.
#pragma once

#include "h5score/storage/layout.hpp"

#include "array_rows.hpp"
#include "convert.hpp"

#include <optional>
#include <span>
#include <vector>

namespace h5score::storage {

class Gather {
 public:
  /// Throws Error(internal) for a column that the format does not hold.
  Gather(const RowFormat& run, const FileFormat& file, const Binding& binding);

  [[nodiscard]] u64 features() const { return features_; }

  /// The array and the place in its rows where the features lie as native T, if nothing is to be done with them.
  template <class T>
  [[nodiscard]] std::optional<StoredField> in_place() const;

  /// As DecodedBlock::columns_in_place().
  template <class T>
  [[nodiscard]] bool columns_in_place(std::span<const ArrayRows> arrays, std::vector<const std::byte*>& columns) const;

  /// As DecodedBlock::fill_tile(); `arrays` are the block's, in the order of the format.
  template <class T>
  void fill(std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const;

 private:
  // Neighbouring columns that become neighbouring features.
  struct Move {
    u64 feature = 0;
    u64 count = 1;
    bool begins_batch = false;  // with those that follow
    StoredField field;
    Conversion<float> to_float;
    Conversion<double> to_double;
    std::vector<Treatment::Fill> fills;  // column: counted from the first
  };
  struct Constant {
    u64 feature = 0;
    double value = 0;
  };

  [[nodiscard]] Move move_of(u64 column, u64 feature) const;
  void append(std::vector<Move>& moves, u64 column, u64 feature) const;
  void mark_batches();
  template <class T>
  [[nodiscard]] bool only_copies(const Move& move) const;
  template <class T>
  [[nodiscard]] const T* lies_as(const Move& move, std::span<const ArrayRows> arrays, u64 first_row) const;
  template <class T>
  void fill_panel(std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const;
  template <class T>
  void move(std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const;
  template <class T>
  void load(const Move& move, std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const;
  template <class T>
  void subtract(std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const;
  template <class T>
  void scale(std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const;

  const RowFormat& run_;
  const FileFormat& file_;
  u64 features_ = 0;
  double total_count_ = 0;
  std::vector<Move> moves_;
  std::vector<Move> minus_;
  std::vector<Move> all_;  // total_count: every column, `feature` unused
  std::vector<Constant> constants_;
};

/// What a row is multiplied by so that values that sum to `sum` sum to `total`; 1 where the sum is 0, NaN where it is
/// not finite.
[[nodiscard]] double total_factor(double total, double sum);

extern template void Gather::fill(std::span<const ArrayRows>, u64, u64, float*, u64) const;
extern template void Gather::fill(std::span<const ArrayRows>, u64, u64, double*, u64) const;
extern template std::optional<StoredField> Gather::in_place<float>() const;
extern template std::optional<StoredField> Gather::in_place<double>() const;
extern template bool Gather::columns_in_place<float>(std::span<const ArrayRows>, std::vector<const std::byte*>&) const;
extern template bool Gather::columns_in_place<double>(std::span<const ArrayRows>, std::vector<const std::byte*>&) const;

}  // namespace h5score::storage

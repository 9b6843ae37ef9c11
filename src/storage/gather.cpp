// Moves columns to features in panels of rows, so that both sides stay in the cache.
#include "gather.hpp"

#include "h5score/base/error.hpp"

#include "transpose.hpp"
#include "unpack.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <memory>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using base::RowRange;

constexpr u64 panel_rows = 256;

template <class T, class Move>
const Conversion<T>& conversion_of(const Move& move) {
  if constexpr (std::is_same_v<T, float>)
    return move.to_float;
  else
    return move.to_double;
}

// Arrays that lie in stretches, as whole rows of one panel.
class Panels {
 public:
  explicit Panels(std::span<const ArrayRows> arrays) : arrays_(arrays) {
    for (const auto& array : arrays)
      if (array.data == nullptr) row_bytes_ += array.row_bytes;
  }
  [[nodiscard]] bool needed() const { return row_bytes_ != 0; }
  [[nodiscard]] u64 most_rows() const {
    return needed() ? std::clamp<u64>(most_bytes / row_bytes_, 1, panel_rows) : panel_rows;
  }

  // These rows of all arrays, as rows from 0 on.
  std::span<const ArrayRows> gather(RowRange rows) {
    if (!bytes_) bytes_ = std::make_unique_for_overwrite<std::byte[]>(row_bytes_ * most_rows());
    panel_.clear();
    std::byte* out = bytes_.get();
    for (const auto& array : arrays_) {
      if (array.data != nullptr) {
        panel_.push_back({.data = array.data + rows.begin * array.row_bytes, .row_bytes = array.row_bytes});
        continue;
      }
      copy_stretches(array, rows, 0, array.row_bytes, out, array.row_bytes);
      panel_.push_back({.data = out, .row_bytes = array.row_bytes});
      out += rows.size() * array.row_bytes;
    }
    return panel_;
  }

 private:
  static constexpr u64 most_bytes = u64{256} << 10;
  std::span<const ArrayRows> arrays_;
  u64 row_bytes_ = 0;  // of those in stretches
  std::unique_ptr<std::byte[]> bytes_;
  std::vector<ArrayRows> panel_;
};

// --missing-value means what is shown, not how it is packed.
template <class T>
void mark_values(std::span<const double> missing, std::array<u64, 2> shape, T* out, u64 stride) {
  for (const double value : missing)
    for (u64 row = 0; row < shape[0]; ++row)
      std::replace(out + row * stride, out + row * stride + shape[1], static_cast<T>(value),
                   std::numeric_limits<T>::quiet_NaN());
}

}  // namespace

double total_factor(double total, double sum) {
  if (!std::isfinite(sum)) return std::numeric_limits<double>::quiet_NaN();
  return sum == 0 ? 1.0 : total / sum;
}

Gather::Gather(const RowFormat& run, const FileFormat& file, const Binding& binding)
    : run_(run), file_(file), features_(binding.features.size()), total_count_(binding.total_count) {
  for (u64 feature = 0; feature < features_; ++feature) {
    const auto& source = binding.features[feature];
    if (source.column == FeatureSource::none) {
      constants_.push_back({feature, source.constant});
      continue;
    }
    append(moves_, source.column, feature);
    if (source.minus != FeatureSource::none) minus_.push_back(move_of(source.minus, feature));
  }
  if (run.kind == TableKind::columns) mark_batches();
  if (total_count_ > 0)
    for (u64 column = 0; column < run.columns; ++column) append(all_, column, column);
}

// Single elements of columns that lie apart are turned to rows several at a time.
void Gather::mark_batches() {
  for (std::size_t i = 0; i + transposed_columns <= moves_.size();) {
    u64 together = 0;
    while (together < transposed_columns && moves_[i + together].count == 1 &&
           moves_[i + together].feature == moves_[i].feature + together)
      ++together;
    moves_[i].begins_batch = together == transposed_columns;
    i += moves_[i].begins_batch ? transposed_columns : 1;
  }
}

Gather::Move Gather::move_of(u64 column, u64 feature) const {
  Move move;
  move.feature = feature;
  if (file_.columns.empty()) {
    const auto& type = file_.arrays.at(0).type;
    if (column >= run_.columns) throw Error(ExitCode::internal, "a binding names a column that does not exist");
    move.field = {.array = 0, .offset = column * type.size, .type = type};
  } else {
    const auto found = std::lower_bound(file_.columns.begin(), file_.columns.end(), column,
                                        [](const StoredColumn& stored, u64 wanted) { return stored.column < wanted; });
    if (found == file_.columns.end() || found->column != column)
      throw Error(ExitCode::internal, "a binding names a column that was not read");
    move.field = found->field;
  }
  move.to_float = conversion<float>(move.field.type);
  move.to_double = conversion<double>(move.field.type);
  for (const auto& fill : run_.treatment.fills)
    if (fill.column == column) move.fills.push_back({0, fill.value});
  return move;
}

// Joins a column to the last move where it follows it in memory.
void Gather::append(std::vector<Move>& moves, u64 column, u64 feature) const {
  Move next = move_of(column, feature);
  if (!moves.empty()) {
    auto& last = moves.back();
    const u64 bytes = last.count * last.field.type.size;
    if (last.feature + last.count == feature && last.field.array == next.field.array &&
        last.field.type == next.field.type && last.field.offset + bytes == next.field.offset) {
      for (const auto& fill : next.fills) last.fills.push_back({last.count, fill.value});
      ++last.count;
      return;
    }
  }
  moves.push_back(std::move(next));
}

// Nothing is to be done with the elements but to copy them.
template <class T>
bool Gather::only_copies(const Move& move) const {
  const base::ElementType native{
      .kind = base::ElementKind::floating, .size = sizeof(T), .big_endian = std::endian::native == std::endian::big};
  return move.field.type == native && move.fills.empty() && run_.treatment.missing.empty() &&
         !file_.arrays[move.field.array].packing;
}

// A column whose elements follow each other, aligned, and are only copied; else null.
template <class T>
const T* Gather::lies_as(const Move& move, std::span<const ArrayRows> arrays, u64 first_row) const {
  const auto& rows = arrays[move.field.array];
  if (rows.row_bytes != sizeof(T) || !only_copies<T>(move)) return nullptr;
  const std::byte* first = rows.data + first_row * sizeof(T);
  const bool aligned = reinterpret_cast<std::uintptr_t>(first) % alignof(T) == 0;
  return aligned ? reinterpret_cast<const T*>(first) : nullptr;
}

template <class T>
std::optional<StoredField> Gather::in_place() const {
  if (moves_.size() != 1 || !minus_.empty() || !constants_.empty() || total_count_ > 0) return std::nullopt;
  const auto& move = moves_.front();
  if (!only_copies<T>(move)) return std::nullopt;
  return move.field;
}
template std::optional<StoredField> Gather::in_place<float>() const;
template std::optional<StoredField> Gather::in_place<double>() const;

template <class T>
bool Gather::columns_in_place(std::span<const ArrayRows> arrays, std::vector<const std::byte*>& columns) const {
  columns.clear();
  if (moves_.size() != features_ || !minus_.empty() || total_count_ > 0) return false;
  for (const auto& move : moves_) {
    const auto& rows = arrays[move.field.array];
    const T* first = rows.data == nullptr ? nullptr : lies_as<T>(move, arrays, 0);
    if (first == nullptr) return false;
    columns.push_back(reinterpret_cast<const std::byte*>(first));
  }
  return true;
}
template bool Gather::columns_in_place<float>(std::span<const ArrayRows>, std::vector<const std::byte*>&) const;
template bool Gather::columns_in_place<double>(std::span<const ArrayRows>, std::vector<const std::byte*>&) const;

template <class T>
void Gather::load(const Move& move, std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out,
                  u64 stride) const {
  const auto& rows = arrays[move.field.array];
  const StoredElements from{.data = rows.data + first_row * rows.row_bytes + move.field.offset,
                            .row_bytes = rows.row_bytes,
                            .rows = count,
                            .count = move.count};
  if (const auto& packing = file_.arrays[move.field.array].packing) {
    unpack(from, move.field.type, *packing, out, stride);
    mark_values(run_.treatment.missing, {count, move.count}, out, stride);
  } else {
    const auto& functions = conversion_of<T>(move);
    functions.convert(from, out, stride);
    if (!run_.treatment.missing.empty()) functions.mark(from, run_.treatment.missing, out, stride);
  }
  for (const auto& fill : move.fills)
    for (u64 row = 0; row < count; ++row) {
      T& value = out[row * stride + fill.column];
      if (std::isnan(value)) value = static_cast<T>(fill.value);
    }
}

template <class T>
void Gather::subtract(std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const {
  std::array<T, panel_rows> subtrahend;
  for (const auto& move : minus_) {
    load(move, arrays, first_row, count, subtrahend.data(), 1);
    for (u64 row = 0; row < count; ++row) out[row * stride + move.feature] -= subtrahend[row];
  }
}

template <class T>
void Gather::scale(std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const {
  std::array<double, panel_rows> sums{};
  constexpr u64 width = 16;
  std::array<double, panel_rows * width> values;
  for (const auto& move : all_) {
    for (u64 done = 0; done < move.count; done += width) {
      Move part = move;
      part.count = std::min(width, move.count - done);
      part.field.offset += done * move.field.type.size;
      part.fills.clear();
      for (const auto& fill : move.fills)
        if (fill.column >= done && fill.column < done + part.count)
          part.fills.push_back({fill.column - done, fill.value});
      load(part, arrays, first_row, count, values.data(), width);
      for (u64 row = 0; row < count; ++row)
        for (u64 i = 0; i < part.count; ++i)
          if (const double value = values[row * width + i]; !std::isnan(value)) sums[row] += value;
    }
  }
  for (u64 row = 0; row < count; ++row) {
    const double factor = total_factor(total_count_, sums[row]);
    T* const features = out + row * stride;
    for (u64 i = 0; i < features_; ++i) features[i] = static_cast<T>(static_cast<double>(features[i]) * factor);
  }
}

template <class T>
void Gather::move(std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const {
  std::array<T, transposed_columns * panel_rows> columns;
  for (std::size_t i = 0; i < moves_.size();) {
    const auto& first = moves_[i];
    if (!first.begins_batch) {
      load(first, arrays, first_row, count, out + first.feature, stride);
      ++i;
      continue;
    }
    Columns<T> in;
    for (u64 k = 0; k < transposed_columns; ++k) {
      in[k] = lies_as<T>(moves_[i + k], arrays, first_row);
      if (in[k] != nullptr) continue;
      in[k] = columns.data() + k * panel_rows;
      load(moves_[i + k], arrays, first_row, count, columns.data() + k * panel_rows, 1);
    }
    transpose(in, count, out + first.feature, stride);
    i += transposed_columns;
  }
}

template <class T>
void Gather::fill_panel(std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const {
  move(arrays, first_row, count, out, stride);
  if (!minus_.empty()) subtract(arrays, first_row, count, out, stride);
  if (total_count_ > 0) scale(arrays, first_row, count, out, stride);
  for (const auto& constant : constants_)
    for (u64 row = 0; row < count; ++row) out[row * stride + constant.feature] = static_cast<T>(constant.value);
}

template <class T>
void Gather::fill(std::span<const ArrayRows> arrays, u64 first_row, u64 count, T* out, u64 stride) const {
  const auto place = in_place<T>();
  Panels panels(arrays);
  for (u64 done = 0; done < count;) {
    const u64 rows = std::min(panels.most_rows(), count - done);
    T* const panel = out + done * stride;
    const RowRange range{first_row + done, first_row + done + rows};
    if (place && arrays[place->array].data == nullptr)
      copy_stretches(arrays[place->array], range, place->offset, features_ * sizeof(T),
                     reinterpret_cast<std::byte*>(panel), stride * sizeof(T));
    else if (panels.needed())
      fill_panel(panels.gather(range), 0, rows, panel, stride);
    else
      fill_panel(arrays, range.begin, rows, panel, stride);
    for (u64 row = 0; row < rows; ++row) std::fill_n(panel + row * stride + features_, stride - features_, T{0});
    done += rows;
  }
}

template void Gather::fill(std::span<const ArrayRows>, u64, u64, float*, u64) const;
template void Gather::fill(std::span<const ArrayRows>, u64, u64, double*, u64) const;

}  // namespace h5score::storage

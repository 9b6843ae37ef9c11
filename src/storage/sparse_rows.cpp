// Scatters the elements of sparse rows to features.
#include "sparse_rows.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "gather.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace h5score::storage {
namespace {

using base::ElementKind;
using base::Error;
using base::ExitCode;
using base::RowRange;

constexpr u64 piece = 512;  // elements converted at a time

bool native(const base::ElementType& type) {
  return type.kind != ElementKind::floating && type.big_endian == (std::endian::native == std::endian::big);
}

// Negative numbers wrap to large ones, so that one comparison finds both.
template <class Stored>
std::optional<u64> first_outside(const Stored* stored, u64 count, u64 columns) {
  using Unsigned = std::make_unsigned_t<Stored>;
  for (u64 done = 0; done < count; done += piece) {
    const u64 n = std::min(piece, count - done);
    Unsigned largest = 0;
    for (u64 i = 0; i < n; ++i) largest = std::max(largest, static_cast<Unsigned>(stored[done + i]));
    if (largest < columns) continue;
    for (u64 i = done;; ++i)
      if (static_cast<Unsigned>(stored[i]) >= columns) return i;
  }
  return std::nullopt;
}

template <class Stored>
std::optional<u64> copy_columns(const Stored* stored, u64 count, u64 columns, u32* out) {
  if (const auto outside = first_outside(stored, count, columns)) return outside;
  for (u64 i = 0; i < count; ++i) out[i] = static_cast<u32>(stored[i]);
  return std::nullopt;
}

// Any type: doubles hold all numbers that can be a column.
std::optional<u64> convert_columns(const std::byte* stored, const base::ElementType& type, u64 count, u64 columns,
                                   u32* out) {
  const auto functions = conversion<double>(type);
  std::array<double, piece> numbers;
  for (u64 done = 0; done < count; done += piece) {
    const u64 n = std::min(piece, count - done);
    functions.convert({stored + done * type.size, 0, 1, n}, numbers.data(), n);
    for (u64 i = 0; i < n; ++i) {
      if (!(numbers[i] >= 0 && numbers[i] < static_cast<double>(columns))) return done + i;
      out[done + i] = static_cast<u32>(numbers[i]);
    }
  }
  return std::nullopt;
}

template <class T>
const Conversion<T>& choose(const Conversion<float>& to_float, const Conversion<double>& to_double) {
  if constexpr (std::is_same_v<T, float>)
    return to_float;
  else
    return to_double;
}

}  // namespace

std::span<const u32> table_columns(const std::byte* stored, u64 count, const FileFormat& file, std::vector<u32>& buffer,
                                   std::optional<u64>& bad) {
  const auto& type = file.arrays.at(0).type;
  const u64 columns = file.matrix_columns;
  if (native(type) && type.size == 4 && file.table_columns.empty()) {
    const auto* in_place = reinterpret_cast<const u32*>(stored);
    bad = first_outside(in_place, count, columns);
    return {in_place, count};
  }
  buffer.resize(count);
  if (native(type) && type.size == 4)
    bad = copy_columns(reinterpret_cast<const u32*>(stored), count, columns, buffer.data());
  else if (native(type) && type.size == 8)
    bad = copy_columns(reinterpret_cast<const u64*>(stored), count, columns, buffer.data());
  else
    bad = convert_columns(stored, type, count, columns, buffer.data());
  if (!bad && !file.table_columns.empty())
    for (u32& column : buffer) column = file.table_columns[column];
  return buffer;
}

SparseGather::SparseGather(const RowFormat& run, const FileFormat& file, const Binding& binding)
    : run_(run),
      type_(file.arrays.at(1).type),
      to_float_(conversion<float>(type_)),
      to_double_(conversion<double>(type_)),
      features_(binding.features.size()),
      total_count_(binding.total_count),
      first_target_(run.columns + 2) {
  const auto each_target = [&](auto visit) {
    for (u64 feature = 0; feature < features_; ++feature) {
      const auto& source = binding.features[feature];
      if (source.column == FeatureSource::none) continue;
      visit(source.column, Target{base::narrow<u32>(feature), false});
      if (source.minus != FeatureSource::none) visit(source.minus, Target{base::narrow<u32>(feature), true});
    }
  };
  each_target([&](u64 column, Target) {
    if (column >= run.columns) throw Error(ExitCode::internal, "a binding names a column that does not exist");
    ++first_target_[column + 1];
  });
  for (u64 column = 0; column <= run.columns; ++column) first_target_[column + 1] += first_target_[column];
  targets_.resize(first_target_.back());
  auto next = first_target_;
  each_target([&](u64 column, Target target) { targets_[next[column]++] = target; });
  find_only_features();
  in_order_ = !only_feature_.empty() && file.table_columns.empty() && file.matrix_columns <= run.columns;
  for (u32 column = 0; in_order_ && column < file.matrix_columns; ++column) in_order_ = only_feature_[column] == column;
  for (u64 feature = 0; feature < features_; ++feature)
    if (binding.features[feature].column == FeatureSource::none)
      constants_.push_back({feature, binding.features[feature].constant});
  if (run.treatment.fills.empty()) return;
  fills_.assign(run.columns + 1, std::numeric_limits<double>::quiet_NaN());
  for (const auto& fill : run.treatment.fills) fills_.at(fill.column) = fill.value;
}

void SparseGather::find_only_features() {
  std::vector<u32> only(first_target_.size() - 1, base::narrow<u32>(features_));
  for (std::size_t column = 0; column < only.size(); ++column) {
    const u32 first = first_target_[column];
    if (first == first_target_[column + 1]) continue;
    if (first + 1 != first_target_[column + 1] || targets_[first].minus) return;
    only[column] = targets_[first].feature;
  }
  only_feature_ = std::move(only);
}

// The values where they lie, if nothing is to be done with them but to add them up.
template <class T>
const T* SparseGather::in_place(const SparseRows& rows) const {
  constexpr base::ElementType same{
      .kind = ElementKind::floating, .size = sizeof(T), .big_endian = std::endian::native == std::endian::big};
  const bool aligned = reinterpret_cast<std::uintptr_t>(rows.values) % alignof(T) == 0;
  if (!(type_ == same) || !aligned || !run_.treatment.missing.empty() || !fills_.empty()) return nullptr;
  return reinterpret_cast<const T*>(rows.values);
}

// Adds elements of one row, from number `begin` on.
template <class T>
void SparseGather::add(const SparseRows& rows, u64 begin, std::span<const T> values, T* out) const {
  const u32* const columns = rows.columns.data() + begin;
  if (in_order_) {
    for (u64 i = 0; i < values.size(); ++i) out[columns[i]] += values[i];
    return;
  }
  if (!only_feature_.empty()) {
    for (u64 i = 0; i < values.size(); ++i)
      if (const u32 feature = only_feature_[columns[i]]; feature < features_) out[feature] += values[i];
    return;
  }
  for (u64 i = 0; i < values.size(); ++i)
    for (u32 t = first_target_[columns[i]]; t < first_target_[columns[i] + 1]; ++t)
      out[targets_[t].feature] += targets_[t].minus ? -values[i] : values[i];
}

// Converts and treats at most `piece` elements.
template <class T>
void SparseGather::load(const SparseRows& rows, RowRange elements, T* out) const {
  const StoredElements from{rows.values + elements.begin * type_.size, 0, 1, elements.size()};
  const auto& functions = choose<T>(to_float_, to_double_);
  functions.convert(from, out, elements.size());
  if (!run_.treatment.missing.empty()) functions.mark(from, run_.treatment.missing, out, elements.size());
  if (fills_.empty()) return;
  for (u64 i = 0; i < elements.size(); ++i)
    if (std::isnan(out[i])) out[i] = static_cast<T>(fills_[rows.columns[elements.begin + i]]);
}

double SparseGather::sum(const SparseRows& rows, RowRange elements) const {
  std::array<double, piece> values;
  double sum = 0;
  for (u64 begin = elements.begin; begin < elements.end; begin += piece) {
    const u64 n = std::min(piece, elements.end - begin);
    load(rows, {begin, begin + n}, values.data());
    for (u64 i = 0; i < n; ++i)
      if (!std::isnan(values[i])) sum += values[i];
  }
  return sum;
}

template <class T>
void SparseGather::fill(const SparseRows& rows, u64 first_row, u64 count, T* out, u64 stride) const {
  std::array<T, piece> values;
  const T* const lying = in_place<T>(rows);
  for (u64 row = first_row; row < first_row + count; ++row, out += stride) {
    std::fill_n(out, stride, T{0});
    const RowRange elements{rows.offsets[row], rows.offsets[row + 1]};
    if (lying != nullptr) add<T>(rows, elements.begin, {lying + elements.begin, elements.size()}, out);
    for (u64 begin = elements.begin; lying == nullptr && begin < elements.end; begin += piece) {
      const u64 n = std::min(piece, elements.end - begin);
      load(rows, {begin, begin + n}, values.data());
      add<T>(rows, begin, {values.data(), n}, out);
    }
    if (total_count_ > 0) {
      const double factor = total_factor(total_count_, sum(rows, elements));
      for (u64 i = 0; i < features_; ++i) out[i] = static_cast<T>(static_cast<double>(out[i]) * factor);
    }
    for (const auto& constant : constants_) out[constant.feature] = static_cast<T>(constant.value);
  }
}

template void SparseGather::fill(const SparseRows&, u64, u64, float*, u64) const;
template void SparseGather::fill(const SparseRows&, u64, u64, double*, u64) const;

}  // namespace h5score::storage

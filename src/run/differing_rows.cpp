// Comparing bytes row by row; values for people.
#include "differing_rows.hpp"

#include "h5score/base/row_ranges.hpp"
#include "h5score/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace h5score::run {
namespace {

using base::ByteView;
using base::ElementKind;
using base::RowRange;

constexpr std::size_t most_examples = 3;
constexpr std::size_t most_elements = 4;        // of a row
constexpr std::size_t most_ranges = 1'000'000;  // kept per column: beyond, rows are counted only
constexpr u64 ranges_told = 8;

template <class T>
T value_at(ByteView bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::string hexadecimal(ByteView bytes) {
  std::string text = "0x";
  for (const std::byte b : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(b));
  return text;
}

// One element with all digits; what has no number of its own as bytes.
std::string element_text(const base::ElementType& type, ByteView stored) {
  base::Bytes bytes(stored.begin(), stored.end());
  if (type.kind == ElementKind::fixed_string) {
    const char* text = reinterpret_cast<const char*>(bytes.data());
    const bool plain =
        std::all_of(text, text + bytes.size(), [](char c) { return c == '\0' || (c >= ' ' && c < 127); });
    return plain ? "'" + std::string(text, std::find(text, text + bytes.size(), '\0')) + "'" : hexadecimal(stored);
  }
  if (type.big_endian) std::reverse(bytes.begin(), bytes.end());
  const ByteView view(bytes);
  if (type.kind == ElementKind::floating && type.size == 4) return fmt::format("{}", value_at<float>(view));
  if (type.kind == ElementKind::floating && type.size == 8) return fmt::format("{}", value_at<double>(view));
  if (type.kind == ElementKind::floating || type.size > 8) return hexadecimal(stored);
  base::u64 value = 0;
  std::memcpy(&value, bytes.data(), bytes.size());
  if (type.kind != ElementKind::signed_integer) return fmt::format("{}", value);
  const unsigned unused = 64 - 8 * type.size;
  return fmt::format("{}", static_cast<base::i64>(value << unused) >> unused);
}

// The elements from the first differing one on.
std::string row_text(const base::ElementType& type, ByteView row, std::size_t first) {
  std::string text = first == 0 ? "" : "... ";
  const std::size_t elements = row.size() / type.size;
  const std::size_t end = std::min(elements, first + most_elements);
  for (std::size_t i = first; i < end; ++i)
    text += (i == first ? "" : " ") + element_text(type, row.subspan(i * type.size, type.size));
  return end < elements ? text + " ..." : text;
}

}  // namespace

DifferingRows::DifferingRows(const std::vector<storage::ScoreColumn>& columns)
    : columns_(columns), found_(columns.size()) {
  for (const auto& column : columns) row_bytes_.push_back(column.row_bytes());
}

void DifferingRows::compare(u64 column, u64 first, ByteView stored, ByteView computed) {
  const std::size_t bytes = row_bytes_[column];
  if (bytes == 0 || std::memcmp(stored.data(), computed.data(), stored.size()) == 0) return;
  for (std::size_t row = 0; row * bytes < stored.size(); ++row) {
    const ByteView there = stored.subspan(row * bytes, bytes);
    const ByteView here = computed.subspan(row * bytes, bytes);
    if (std::memcmp(there.data(), here.data(), bytes) != 0) note(column, first + row, there, here);
  }
}

void DifferingRows::note(u64 column, u64 row, ByteView stored, ByteView computed) {
  Column& found = found_[column];
  ++found.rows;
  if (!found.ranges.empty() && found.ranges.back().end == row)
    ++found.ranges.back().end;
  else if (found.ranges.size() < most_ranges)
    found.ranges.push_back({row, row + 1});
  if (found.examples.size() == most_examples && std::prev(found.examples.end())->first < row) return;
  const auto& type = columns_[column].type;
  const auto differs = std::mismatch(stored.begin(), stored.end(), computed.begin()).first;
  const auto first = static_cast<std::size_t>(differs - stored.begin()) / type.size;
  Values values{row_text(type, stored, first), row_text(type, computed, first)};
  if (values.stored == values.computed) {  // NaN of two kinds
    values.stored += " " + hexadecimal(stored.subspan(first * type.size, type.size));
    values.computed += " " + hexadecimal(computed.subspan(first * type.size, type.size));
  }
  found.examples.emplace(row, std::move(values));
  if (found.examples.size() > most_examples) found.examples.erase(std::prev(found.examples.end()));
}

u64 DifferingRows::rows() const {
  std::vector<RowRange> all;
  u64 counted = 0;
  for (const auto& column : found_) {
    all.insert(all.end(), column.ranges.begin(), column.ranges.end());
    counted = std::max(counted, column.rows);
  }
  u64 rows = 0;
  for (const auto& range : base::joined(std::move(all))) rows += range.size();
  return std::max(rows, counted);
}

std::string DifferingRows::text() const {
  std::string text;
  for (std::size_t c = 0; c < found_.size(); ++c) {
    const Column& found = found_[c];
    if (found.rows == 0) continue;
    text += fmt::format("  {}: {} row{} differ{}: {}\n", columns_[c].path, base::format_count(found.rows),
                        found.rows == 1 ? "" : "s", found.rows == 1 ? "s" : "",
                        base::ranges_text(base::joined(found.ranges), ranges_told));
    for (const auto& [row, values] : found.examples)
      text += fmt::format("    row {}: {} stored, {} computed\n", row, values.stored, values.computed);
  }
  return text;
}

}  // namespace h5score::run

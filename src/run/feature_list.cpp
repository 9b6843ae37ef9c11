// Parsing of --features.
#include "feature_list.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace h5score::run {
namespace {

using base::Error;
using base::ExitCode;
using storage::FeatureSource;

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

std::optional<u64> number(std::string_view text) {
  u64 value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "A:B" with either number left out.
std::optional<base::RowRange> range(std::string_view text, u64 total) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto begin = colon == 0 ? std::optional<u64>(0) : number(text.substr(0, colon));
  const auto end = colon + 1 == text.size() ? std::optional<u64>(total) : number(text.substr(colon + 1));
  if (!begin || !end) return std::nullopt;
  return base::RowRange{*begin, *end};
}

// Reads the items of one list.
class FeatureList {
 public:
  FeatureList(const storage::SourceTable& table, const ColumnNames& columns, const std::string& where)
      : table_(table), columns_(columns), where_(where) {}

  void add(std::string_view item) {
    if (item.empty()) throw Error(ExitCode::usage, "--features: an item is empty", {}, "separate items by one comma");
    if (const auto column = columns_.find(item)) return add(std::string(item), {.column = *column});
    if (const auto equals = item.find('='); equals != std::string_view::npos) {
      const auto name = trimmed(item.substr(0, equals));
      const auto expression = trimmed(item.substr(equals + 1));
      if (name.empty() || expression.empty())
        throw Error(ExitCode::usage, fmt::format("--features {}: not understood", item), {},
                    "write NEW=COLUMN or NEW=A-B");
      return add(std::string(name), source_of(expression));
    }
    if (const auto columns = range(item, table_.columns)) return add_range(item, *columns);
    if (const auto index = number(item)) return add_range(item, {*index, *index + 1});
    add(std::string(item), source_of(item));
  }

  std::vector<ListedFeature> take() { return std::move(listed_); }

 private:
  void add(std::string name, const FeatureSource& source) {
    if (!name.empty()) {
      const auto [place, added] = named_.try_emplace(name, source);
      if (!added && place->second != source)
        throw Error(ExitCode::usage, fmt::format("--features: the name {} stands for two things", name));
    }
    listed_.push_back({std::move(name), source});
  }

  void check(std::string_view item, base::RowRange columns) const {
    const std::string has = fmt::format("{} has {} columns", where_, table_.columns);
    if (columns.begin >= table_.columns || columns.end > table_.columns)
      throw Error(ExitCode::usage, fmt::format("--features {} is out of range", item), has + ", counted from 0");
    if (columns.begin >= columns.end)
      throw Error(ExitCode::usage, fmt::format("--features {} selects no column", item), has);
  }

  void add_range(std::string_view item, base::RowRange columns) {
    check(item, columns);
    for (u64 c = columns.begin; c < columns.end; ++c)
      add(table_.names.empty() ? std::string() : table_.names[c], {.column = c});
  }

  [[nodiscard]] FeatureSource source_of(std::string_view expression) const {
    if (const auto column = columns_.find(expression)) return {.column = *column};
    if (const auto index = number(expression)) {
      check(expression, {*index, *index + 1});
      return {.column = *index};
    }
    if (const auto difference = columns_.difference(expression)) return *difference;
    if (table_.names.empty())
      throw Error(ExitCode::data, fmt::format("--features {}: the columns of {} have no names", expression, where_), {},
                  "give their numbers, or their names by --feature-names");
    const std::string guess = base::nearest(expression, table_.names);
    throw Error(ExitCode::data, fmt::format("--features {}: {} has no such column", expression, where_),
                fmt::format("its names are {}", table_.names_from),
                guess.empty() ? std::string("see h5score inspect") : fmt::format("did you mean {}?", guess));
  }

  const storage::SourceTable& table_;
  const ColumnNames& columns_;
  const std::string& where_;
  std::vector<ListedFeature> listed_;
  std::unordered_map<std::string, FeatureSource> named_;
};

}  // namespace

ColumnNames::ColumnNames(const storage::SourceTable& table) {
  columns_.reserve(table.names.size());
  for (u64 c = 0; c < table.names.size(); ++c)
    if (!columns_.try_emplace(table.names[c], c).second && duplicate_ == nullptr) duplicate_ = &table.names[c];
}

std::optional<u64> ColumnNames::find(std::string_view name) const {
  const auto found = columns_.find(name);
  if (found == columns_.end()) return std::nullopt;
  return found->second;
}

std::optional<FeatureSource> ColumnNames::split_at(std::string_view text, std::size_t minus, std::size_t length) const {
  const auto a = find(trimmed(text.substr(0, minus)));
  const auto b = find(trimmed(text.substr(minus + length)));
  if (!a || !b) return std::nullopt;
  return FeatureSource{.column = *a, .minus = *b};
}

std::optional<FeatureSource> ColumnNames::difference(std::string_view text) const {
  for (const std::string_view minus : {std::string_view(" - "), std::string_view("-")}) {
    std::optional<FeatureSource> found;
    for (auto at = text.find(minus); at != std::string_view::npos; at = text.find(minus, at + 1)) {
      const auto here = split_at(text, at, minus.size());
      if (here && found)
        throw Error(ExitCode::data, fmt::format("{} may be more than one difference of columns", text), {},
                    "put blanks around the minus that is meant, as in --features 'NEW=A - B'");
      if (here) found = here;
    }
    if (found) return found;
  }
  return std::nullopt;
}

std::vector<ListedFeature> parse_features(const std::string& text, const storage::SourceTable& table,
                                          const ColumnNames& columns, const std::string& where) {
  FeatureList list(table, columns, where);
  if (text.empty()) return {};
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    list.add(trimmed(std::string_view(text).substr(at, comma - at)));
    at = comma + 1;
  }
  return list.take();
}

}  // namespace h5score::run

// Columns by name, and what --features says of them: names, differences, aliases, numbers and ranges.
#pragma once

#include "h5score/storage/binding.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace h5score::run {

using base::u64;

/// The names of a table's columns, for looking up. The table must outlive it.
class ColumnNames {
 public:
  explicit ColumnNames(const storage::SourceTable& table);
  [[nodiscard]] std::optional<u64> find(std::string_view name) const;
  /// The columns of a difference "A-B", where `text` splits at '-' into two names in exactly one way. " - " with blanks
  /// wins over other places. Throws Error(data) where several ways are left.
  [[nodiscard]] std::optional<storage::FeatureSource> difference(std::string_view text) const;
  /// A name that occurs twice, or nullptr.
  [[nodiscard]] const std::string* duplicate() const { return duplicate_; }

 private:
  [[nodiscard]] std::optional<storage::FeatureSource> split_at(std::string_view text, std::size_t minus,
                                                               std::size_t length) const;
  std::unordered_map<std::string_view, u64> columns_;
  const std::string* duplicate_ = nullptr;
};

/// One item of --features, ranges spelt out.
struct ListedFeature {
  std::string name;  ///< "NEW" of "NEW=EXPR", a column's own, or the text of a difference; empty: a number, no names
  storage::FeatureSource source;
};

/// The features that `text` lists: items between commas, each a column's name, a difference "A-B", "NEW=EXPR" (EXPR one
/// of these or a number), a number, or a range "A:B". A name that exists wins over every other reading. `where` names
/// the table in messages. Throws Error(usage) for malformed items, numbers out of range and names listed twice for
/// different things, Error(data) naming the nearest column for names that do not exist.
std::vector<ListedFeature> parse_features(const std::string& text, const storage::SourceTable& table,
                                          const ColumnNames& columns, const std::string& where);

}  // namespace h5score::run

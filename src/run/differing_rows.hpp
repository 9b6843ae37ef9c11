// Which rows of a score file differ from what they should be, collected block by block and told in a few lines.
#pragma once

#include "h5score/base/element_type.hpp"
#include "h5score/base/types.hpp"
#include "h5score/storage/score_description.hpp"

#include <map>
#include <string>
#include <vector>

namespace h5score::run {

using base::u64;

class DifferingRows {
 public:
  explicit DifferingRows(const std::vector<storage::ScoreColumn>& columns);

  /// Compares rows [first, first + n) of one column: n is what both hold. Parts may come in any order.
  void compare(u64 column, u64 first, base::ByteView stored, base::ByteView computed);

  [[nodiscard]] u64 rows() const;  ///< that differ in any column
  /// "  /label: 3 rows differ: 17, 40:42" and below it the first values of both sides. Empty where nothing differs.
  [[nodiscard]] std::string text() const;

 private:
  struct Values {
    std::string stored;
    std::string computed;
  };
  struct Column {
    u64 rows = 0;
    std::vector<base::RowRange> ranges;  ///< in the order of arrival, neighbours of one call joined
    std::map<u64, Values> examples;      ///< by row: those with the lowest numbers
  };
  void note(u64 column, u64 row, base::ByteView stored, base::ByteView computed);

  const std::vector<storage::ScoreColumn>& columns_;
  std::vector<u64> row_bytes_;
  std::vector<Column> found_;
};

}  // namespace h5score::run

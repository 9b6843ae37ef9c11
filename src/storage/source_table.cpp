// Names of columns for people.
#include "h5score/storage/binding.hpp"

namespace h5score::storage {
namespace {

// "3, 7": the place of an element in a row of this shape.
std::string place_text(const std::vector<u64>& shape, u64 element) {
  std::string text;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    text = std::to_string(element % shape[axis]) + (text.empty() ? "" : ", ") + text;
    element /= shape[axis];
  }
  return text;
}

}  // namespace

std::string SourceTable::source_name(u64 column) const {
  const std::string meaning = meanings.empty() ? "" : meanings[meanings.size() == 1 ? 0 : column];
  return place_name(column) + (meaning.empty() ? "" : " (" + meaning + ")");
}

std::string SourceTable::place_name(u64 column) const {
  switch (kind) {
    case TableKind::columns:
      return (dataset == "/" ? "" : dataset) + "/" + names[column];
    case TableKind::compound:
      return dataset + "." + names[column];
    case TableKind::sparse:
    case TableKind::array:
      break;
  }
  if (row_shape.empty()) return dataset;
  return dataset + "[:, " + (names.empty() ? place_text(row_shape, column) : names[column]) + "]";
}

}  // namespace h5score::storage

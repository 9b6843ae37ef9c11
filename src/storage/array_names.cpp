// Names that lie beside an array.
#include "array_names.hpp"

#include "h5score/h5/io.hpp"

#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace h5score::storage {

void tell_apart(ColumnNames& columns, const ColumnNames& ids) {
  std::unordered_map<std::string, u64> copies;
  for (const auto& name : columns.names) ++copies[name];
  if (copies.size() == columns.names.size()) return;
  std::unordered_set<std::string> taken;
  for (const auto& [name, count] : copies) taken.insert(name);
  const bool identified = ids.names.size() == columns.names.size();
  for (u64 column = 0; column < columns.names.size(); ++column) {
    std::string& name = columns.names[column];
    if (copies[name] == 1) continue;
    const std::string place = " (column " + std::to_string(column) + ")";
    name += identified && !ids.names[column].empty() ? " (" + ids.names[column] + ")" : place;
    while (!taken.insert(name).second) name += place;
  }
  columns.from += identified ? " (repeated names carry their ids, " + ids.from + ")"
                             : std::string(" (repeated names carry the numbers of their columns)");
}

ColumnNames pandas_items(const std::string& path, const std::string& dataset, u64 columns) {
  constexpr std::string_view values = "_values";
  if (!dataset.ends_with(values)) return {};
  const std::string items = dataset.substr(0, dataset.size() - values.size()) + "_items";
  if (!h5::exists(h5::open_file(path), items) || h5::is_group(path, items)) return {};
  const auto facts = h5::describe_dataset(path, items);
  const bool text = facts.variable_string || (facts.read_as && facts.read_as->kind == base::ElementKind::fixed_string);
  if (!text || facts.shape != std::vector<u64>{columns}) return {};
  ColumnNames names{h5::read_strings(h5::open_dataset(h5::open_file(path), items), columns), items};
  tell_apart(names, {});  // pandas writes none that repeat, but others may
  return names;
}

}  // namespace h5score::storage

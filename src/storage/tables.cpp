// Rules by which datasets form tables.
#include "tables.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

#include "pandas_names.hpp"
#include "reading.hpp"
#include "selection.hpp"
#include "sparse_file.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using h5::DatasetFacts;

std::string parent_of(const std::string& name) {
  const auto slash = name.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : name.substr(0, slash);
}

std::string base_of(const std::string& name) {
  return name.substr(name.rfind('/') + 1);
}

bool is_column(const DatasetFacts& facts) {
  return facts.shape.size() == 1 && !facts.scale && refusal(facts, Role::features).empty();
}

// The length that most columns have; of two that as many have, the longer.
u64 common_length(const std::vector<const DatasetFacts*>& columns) {
  std::map<u64, u64> counts;
  for (const auto* facts : columns) ++counts[facts->shape[0]];
  const auto most = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second < b.second : a.first < b.first;
  });
  return most == counts.end() ? 0 : most->first;
}

std::string why_left_out(const DatasetFacts& facts, u64 rows) {
  if (const std::string why = refusal(facts, Role::features); !why.empty()) return why;
  if (facts.scale) return "it labels an axis";
  if (facts.shape.size() != 1) return "its rows have more than one element";
  return "it has " + std::to_string(facts.shape[0]) + " rows instead of " + std::to_string(rows);
}

// vaex keeps each column in a group of its own: NAME/data, beside it NAME/mask or NAME/indices (of texts).
bool vaex_columns(const std::vector<h5::Member>& members) {
  return std::any_of(members.begin(), members.end(), [](const h5::Member& member) {
    const auto slash = member.name.find('/');
    return member.dataset && slash != std::string::npos && member.name.substr(slash) == "/data";
  });
}

std::vector<h5::Member> columns_of_vaex(const std::vector<h5::Member>& members, std::vector<std::string>& left_out) {
  std::vector<h5::Member> columns;
  std::map<std::string, std::vector<std::string>> parts;
  for (const auto& member : members) parts[parent_of(member.name)].push_back(base_of(member.name));
  for (const auto& member : members) {
    const std::string name = parent_of(member.name);
    if (base_of(member.name) != "data" || name == "/") continue;
    if (parts[name].size() == 1)
      columns.push_back({name, member.dataset});
    else
      left_out.push_back(name + " (text or values with a mask)");
  }
  return columns;
}

void add_column(TableFacts& table, const std::string& name, const DatasetFacts& facts) {
  StoredField field;
  field.array = base::narrow<u32>(table.arrays.size());
  field.type = *facts.read_as;
  table.fields.push_back(field);
  table.names.push_back(name);
  table.arrays.push_back(facts);
}

std::string element_text(const std::vector<u64>& shape, u64 element) {
  std::string text;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    text = std::to_string(element % shape[axis]) + (text.empty() ? "" : ",") + text;
    element /= shape[axis];
  }
  return "[" + text + "]";
}

// pandas tells in attributes which of its columns lie in fields of several elements: by field; none in other files.
std::map<std::string, std::vector<std::string>> pandas_columns(const DatasetFacts& facts) {
  std::map<std::string, std::vector<std::string>> columns;
  try {
    const h5::Handle file = h5::open_file(facts.file);
    const h5::Handle dataset = h5::open_dataset(file, facts.name);
    for (const auto& field : facts.fields)
      if (!field.shape.empty() && h5::has_attribute(dataset, field.name + "_kind"))
        columns[field.name] = pickled_names(h5::read_string_attribute(dataset, field.name + "_kind"));
  } catch (const Error&) {
    return {};  // attributes of another meaning, or a dataset that only a link of another name leads to
  }
  return columns;
}

// Names of a field's elements.
std::vector<std::string> names_of(const h5::Field& field,
                                  const std::map<std::string, std::vector<std::string>>& pandas) {
  if (field.shape.empty()) return {field.name};
  const u64 count = base::checked_product(field.shape);
  const auto found = pandas.find(field.name);
  if (found != pandas.end() && found->second.size() == count) return found->second;
  std::vector<std::string> names;
  for (u64 i = 0; i < count; ++i) names.push_back(field.name + element_text(field.shape, i));
  return names;
}

}  // namespace

TableFacts compound_table(DatasetFacts facts) {
  TableFacts table;
  table.kind = TableKind::compound;
  table.dataset = facts.name;
  table.names_from = "fields of " + facts.name;
  table.left_out = facts.left_out;
  const auto pandas = pandas_columns(facts);
  for (const auto& field : facts.fields) {
    u64 offset = field.offset;
    for (const auto& name : names_of(field, pandas)) {
      const StoredField place{.array = 0, .offset = offset, .type = field.type};
      offset += field.type.size;
      if (field.type.numeric()) {
        table.fields.push_back(place);
        table.names.push_back(name);
      } else {
        table.texts.push_back({name, place});
        table.left_out.push_back(name + " (text of " + std::to_string(field.type.size) + " bytes)");
      }
    }
  }
  table.arrays.push_back(std::move(facts));
  return table;
}

TableFacts group_table(const std::string& group, const std::vector<h5::Member>& members) {
  TableFacts table;
  table.kind = TableKind::columns;
  table.dataset = group;
  table.names_from = "members of " + group;
  std::vector<h5::Member> offered = vaex_columns(members) ? columns_of_vaex(members, table.left_out) : members;
  std::erase_if(offered, [](const h5::Member& m) { return !m.dataset || m.name.find('/') != std::string::npos; });
  std::sort(offered.begin(), offered.end(),
            [](const h5::Member& a, const h5::Member& b) { return natural_less(a.name, b.name); });
  std::vector<const DatasetFacts*> columns;
  for (const auto& member : offered)
    if (is_column(*member.dataset)) columns.push_back(&*member.dataset);
  const u64 rows = common_length(columns);
  for (const auto& member : offered) {
    if (is_column(*member.dataset) && member.dataset->shape[0] == rows)
      add_column(table, member.name, *member.dataset);
    else
      table.left_out.push_back(member.name + " (" + why_left_out(*member.dataset, rows) + ")");
  }
  return table;
}

namespace {

TableFacts array_table(DatasetFacts facts) {
  TableFacts table;
  table.dataset = facts.name;
  table.arrays.push_back(std::move(facts));
  return table;
}

// True if nothing but a filter that can be installed stands in the way.
bool fits(DatasetFacts facts, Role role) {
  facts.missing.clear();
  return refusal(facts, role).empty();
}

std::string below(const std::string& group, const std::string& name) {
  return group == "/" ? group + name : group + "/" + name;
}

// True of columns of numbers to which no row was ever added.
bool has_no_rows(const std::vector<h5::Member>& members) {
  return std::any_of(members.begin(), members.end(), [](const h5::Member& member) {
    return member.dataset && member.dataset->shape == std::vector<u64>{0} && member.dataset->read_as &&
           member.dataset->read_as->numeric();
  });
}

// Throws for a dataset that cannot be scored.
void require_scorable(const std::string& path, const DatasetFacts& facts, Role role) {
  const std::string why = refusal(facts, role);
  if (why.empty()) return;
  const bool empty = !facts.null && !facts.shape.empty() && facts.shape[0] == 0;
  throw Error(ExitCode::data, path + ": dataset '" + facts.name + "' cannot be scored", why,
              empty                   ? "leave the file out"
              : facts.missing.empty() ? ""
                                      : "install its plugin and set HDF5_PLUGIN_PATH");
}

TableFacts table_of_group(const std::string& path, const std::string& name) {
  std::string group = name[0] == '/' ? name : "/" + name;
  while (group.size() > 1 && group.back() == '/') group.pop_back();
  auto members = h5::describe_members(path, group, 2);
  const bool vaex = std::any_of(members.begin(), members.end(),
                                [](const h5::Member& m) { return m.name.rfind("columns/", 0) == 0 && !m.dataset; });
  if (vaex) {  // the table's group was named instead of that of its columns
    group = below(group, "columns");
    members = h5::describe_members(path, group, 2);
  }
  TableFacts table = group_table(group, members);
  if (!table.arrays.empty()) return table;
  if (has_no_rows(members))
    throw Error(ExitCode::data, path + ": the columns of '" + group + "' have 0 rows", "", "leave the file out");
  std::string why = table.left_out.empty() ? "it holds no datasets" : "";
  for (std::size_t i = 0; i < table.left_out.size() && i < 3; ++i) why += (i == 0 ? "" : ", ") + table.left_out[i];
  throw Error(ExitCode::data, path + ": group '" + group + "' has no columns of numbers", why,
              "`h5score inspect` shows what the file holds");
}

// The groups that hold datasets; those of vaex's columns count as one.
std::map<std::string, std::vector<h5::Member>> groups_of(const std::vector<DatasetFacts>& all) {
  std::map<std::string, std::vector<h5::Member>> groups;
  for (const auto& facts : all) {
    const std::string parent = parent_of(facts.name);
    const bool vaex = base_of(parent_of(parent)) == "columns" && parent != "/";
    if (vaex)
      groups[parent_of(parent)].push_back({base_of(parent) + "/" + base_of(facts.name), facts});
    else
      groups[parent].push_back({base_of(facts.name), facts});
  }
  return groups;
}

std::optional<TableFacts> sparse_table(const std::string& path, const std::string& dataset) {
  const auto sparse = describe_sparse(path, dataset);
  if (!sparse) return std::nullopt;
  TableFacts table;
  table.kind = TableKind::sparse;
  table.dataset = sparse->name;
  table.arrays = {sparse->indices, sparse->values};
  for (const auto& array : table.arrays)
    if (const std::string why = refusal(array, Role::elements); !why.empty())
      throw Error(ExitCode::data, path + ": dataset '" + array.name + "' cannot be scored", why);
  table.sparse = *sparse;
  return table;
}

// The arrays of a sparse matrix are no columns.
bool holds_sparse(const std::vector<h5::Member>& members) {
  u64 parts = 0;
  for (const auto& member : members)
    if (member.name == "data" || member.name == "indices" || member.name == "indptr") ++parts;
  return parts == 3;
}

// PyTables keeps the indexes of a table in groups that begin so, MATLAB what its variables refer to.
bool is_internal(const std::string& name) {
  return name.find("/_i_") != std::string::npos || name.rfind("/#refs#/", 0) == 0;
}

}  // namespace

TableFacts describe_table(const std::string& path, const std::string& dataset) {
  if (auto matrix = sparse_table(path, dataset)) return std::move(*matrix);
  if (h5::is_group(path, dataset)) return table_of_group(path, dataset);
  auto facts = h5::describe_dataset(path, dataset);
  const Role role = role_of(facts);
  require_scorable(path, facts, role);
  return role == Role::records ? compound_table(std::move(facts)) : array_table(std::move(facts));
}

std::vector<FoundTable> candidates(std::vector<FoundTable> tables) {
  u8 lowest = FoundTable::never;
  for (const auto& table : tables) lowest = std::min(lowest, table.precedence);
  std::erase_if(tables, [lowest](const FoundTable& table) {
    return table.precedence == FoundTable::never || table.precedence != lowest;
  });
  return tables;
}

std::vector<FoundTable> find_tables(const std::vector<DatasetFacts>& all) {
  std::vector<FoundTable> tables;
  std::map<std::string, std::vector<u64>> rows_beside;  // of arrays and compound tables, by group
  for (const auto& facts : all) {
    const bool array = facts.shape.size() >= 2 && fits(facts, Role::features);
    if (!array && (facts.record_bytes == 0 || !fits(facts, Role::records))) continue;
    tables.push_back({.facts = array ? array_table(facts) : compound_table(facts), .precedence = 1});
    if (is_internal(facts.name)) tables.back().precedence = FoundTable::never;
    rows_beside[parent_of(facts.name)].push_back(facts.shape[0]);
  }
  for (const auto& [group, members] : groups_of(all)) {
    if (holds_sparse(members)) continue;
    FoundTable found{.facts = group_table(group, members), .precedence = 1};
    if (found.facts.arrays.empty()) continue;
    const auto& first = found.facts.arrays.front();
    const auto& beside = rows_beside[group];
    const bool companions =  // such as labels and ids of the rows of an array
        std::find(beside.begin(), beside.end(), first.shape[0]) != beside.end();
    if (companions || found.facts.arrays.size() == 1) found.precedence = 2;
    if (is_internal(group + "/")) found.precedence = FoundTable::never;
    if (found.facts.arrays.size() == 1 && base_of(first.name) == found.facts.names.front())
      found.facts = array_table(first);
    tables.push_back(std::move(found));
  }
  return tables;
}

}  // namespace h5score::storage

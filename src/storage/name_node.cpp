// The name node's side of reading inputs: it runs in the sandbox and answers with flat descriptions.
#include "h5score/storage/name_node.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

#include "array_names.hpp"
#include "categories.hpp"
#include "name_node_calls.hpp"
#include "reading.hpp"
#include "tables.hpp"

#include <algorithm>
#include <filesystem>
#include <list>
#include <memory>

namespace h5score::storage {
namespace {

using base::Bytes;
using base::ByteView;
using base::ElementKind;
using base::ElementType;
using base::Error;
using base::ExitCode;
using h5::DatasetFacts;

// "/photometry (5 columns of 1000 rows)", "/x (70000, 784) uint8"
std::string table_text(const TableFacts& table) {
  if (table.kind == TableKind::array) return table.dataset + " " + shape_text(table.arrays.front());
  return table.dataset + " (" + std::to_string(table.names.size()) + " columns of " + std::to_string(table.rows()) +
         " rows)";
}

// None if it is no sparse matrix; one that contradicts itself says so, and leaves the file's other tables alone.
std::optional<FoundTable> sparse_table(const std::string& path, const std::string& name) {
  FoundTable found{.facts = {}, .precedence = FoundTable::never};
  found.facts.kind = TableKind::sparse;
  found.facts.dataset = name;
  try {
    found.facts.sparse = describe_sparse(path, name);
    if (!found.facts.sparse) return std::nullopt;
    found.facts.names = column_names(path, name, found.facts.sparse->columns).names;
  } catch (const Error& error) {
    found.facts.sparse.reset();
    found.refusal = error.what();
  }
  return found;
}

std::string choose_dataset(const std::string& path) {
  auto matrices = single_cell_matrices(path);
  if (matrices.size() > 1)
    std::erase_if(matrices, [&](const std::string& name) {
      const auto table = sparse_table(path, name);
      return table && !table->refusal.empty();
    });
  if (matrices.size() == 1) return matrices.front();
  const auto fitting = candidates(find_tables(h5::describe_all_datasets(path)));
  if (fitting.size() == 1) return fitting.front().facts.dataset;
  if (fitting.empty())
    throw Error(ExitCode::data, path + ": no dataset fits", "none holds rows of numbers",
                "`h5score inspect` shows what the file holds");
  constexpr std::size_t most_listed = 20;
  std::string list;
  for (std::size_t i = 0; i < fitting.size() && i < most_listed; ++i)
    list += (i == 0 ? "" : ", ") + table_text(fitting[i].facts);
  if (fitting.size() > most_listed) list += ", and " + std::to_string(fitting.size() - most_listed) + " more";
  throw Error(ExitCode::usage, path + ": " + std::to_string(fitting.size()) + " datasets fit", list,
              "choose one with --dataset");
}

// Values outside of the file are looked for, and one row is tried, before a run begins: a virtual dataset that leads to
// itself kills the library.
void require_sources(const std::string& path, const DatasetFacts& facts) {
  if (const auto missing = h5::missing_sources(facts); !missing.empty())
    throw Error(ExitCode::no_input, path + ": dataset '" + facts.name + "' lacks a file with its values",
                missing.front(),
                facts.layout == h5::Layout::virtual_sources ? "HDF5 would give fill values for its rows" : "");
  const bool outside = facts.layout == h5::Layout::virtual_sources || facts.layout == h5::Layout::external_files;
  if (!outside || facts.shape.empty() || facts.shape[0] == 0) return;
  if (facts.read_as)
    static_cast<void>(h5::RowReader(facts).read({0, 1}, *facts.read_as));
  else if (facts.record_bytes != 0)
    static_cast<void>(h5::RowReader(facts).read_records({0, 1}));
}

void require(const std::string& path, const DatasetFacts& facts, Role role) {
  if (const std::string why = refusal(facts, role); !why.empty())
    throw Error(
        ExitCode::data,
        path + ": dataset '" + facts.name + "' cannot be " + (role == Role::features ? "scored" : "passed through"),
        why, facts.missing.empty() ? "" : "install its plugin and set HDF5_PLUGIN_PATH");
  require_sources(path, facts);
}

// A dataset, or what vaex keeps in a group of that name.
DatasetFacts describe_one(const std::string& path, const std::string& name) {
  if (auto categorical = describe_categorical(path, name)) return std::move(*categorical);
  return h5::describe_dataset(path, h5::is_group(path, name) ? name + "/data" : name);
}

DatasetFacts describe_column(const std::string& path, const TableFacts& table, const std::string& name) {
  return describe_one(path, places_of_column(path, table.dataset, name).front());
}

PassthroughFacts whole_array(DatasetFacts facts) {
  PassthroughFacts column{.array = std::move(facts), .field = {}, .row_shape = {}};
  column.field.type = *column.array.read_as;
  column.row_shape.assign(column.array.shape.begin() + 1, column.array.shape.end());
  return column;
}

// A column of the table itself, or a field of its records.
std::optional<PassthroughFacts> of_table(const std::string& path, const TableFacts& table, const std::string& name) {
  if (table.fields.empty()) return std::nullopt;
  const auto found = std::find(table.names.begin(), table.names.end(), name);
  if (found != table.names.end()) {
    const auto& field = table.fields[static_cast<std::size_t>(found - table.names.begin())];
    return PassthroughFacts{.array = table.arrays[field.array], .field = field, .row_shape = {}};
  }
  if (table.kind != TableKind::compound) return std::nullopt;
  for (const auto& text : table.texts)
    if (text.name == name) return PassthroughFacts{.array = table.arrays.front(), .field = text.field, .row_shape = {}};
  const auto& records = table.arrays.front();
  for (const auto& field : records.fields)
    if (field.name == name)
      return PassthroughFacts{.array = records,
                              .field = {.array = 0, .offset = field.offset, .type = field.type},
                              .row_shape = field.shape};
  for (const auto& field : records.left_out)
    if (field.rfind(name + " (", 0) == 0)
      throw Error(ExitCode::data, path + ": field " + field + " of " + records.name + " cannot be passed through",
                  "it has no fixed size or a type without numbers");
  return std::nullopt;
}

PassthroughFacts passthrough_column(const std::string& path, const TableFacts& table, const std::string& name) {
  if (name.empty()) throw Error(ExitCode::usage, "--passthrough names an empty column");
  if (auto own = of_table(path, table, name)) return std::move(*own);
  auto facts = describe_column(path, table, name);
  if (facts.variable_string && refusal(facts, Role::passthrough).empty())
    facts.read_as = ElementType{
        .kind = ElementKind::fixed_string, .size = h5::RowReader(facts).longest_string(), .utf8 = facts.utf8};
  require(path, facts, Role::passthrough);
  if (facts.shape[0] != table.rows())
    throw Error(ExitCode::data, path + ": passthrough column '" + facts.name + "' has another length than the rows",
                std::to_string(facts.shape[0]) + " against " + std::to_string(table.rows()) + " of " + table.dataset);
  return whole_array(std::move(facts));
}

u64 columns_of(const TableFacts& table) {
  if (table.sparse) return table.sparse->columns;
  if (!table.fields.empty()) return table.fields.size();
  return base::checked_product(std::span(table.arrays.front().shape).subspan(1));
}

std::vector<std::string> read_names(const std::string& path, const std::string& dataset) {
  constexpr u64 most_names = u64{1} << 26;
  const h5::Handle file = h5::open_file(path);
  try {
    return h5::read_strings(h5::open_dataset(file, dataset), most_names);
  } catch (const Error& error) {
    throw error.in(path + ": " + dataset);
  }
}

ColumnNames given_names(const std::string& path, const TableFacts& table, const std::string& dataset) {
  ColumnNames given{read_names(path, dataset), dataset};
  tell_apart(given, column_ids(path, table.dataset));
  return given;
}

void take_names(TableFacts& table, ColumnNames names) {
  table.names = std::move(names.names);
  table.names_from = std::move(names.from);
}

FileFacts describe_file_facts(const DescribeRequest& request) {
  const std::string dataset = request.dataset.empty() ? choose_dataset(request.path) : request.dataset;
  FileFacts file;
  file.table = describe_table(request.path, dataset);
  for (const auto& array : file.table.arrays) require_sources(request.path, array);
  if (!request.names.empty() && file.table.fields.empty()) {
    take_names(file.table, given_names(request.path, file.table, request.names));
  } else if (file.table.names.empty()) {
    const u64 columns = columns_of(file.table);
    auto found = column_names(request.path, file.table.dataset, columns);
    if (found.names.empty()) found = pandas_items(request.path, file.table.dataset, columns);
    take_names(file.table, std::move(found));
  }
  for (const auto& name : request.passthrough)
    file.passthrough.push_back(passthrough_column(request.path, file.table, name));
  return file;
}

// What make() returns; an error that does not name the file does so afterwards.
template <class Make>
Bytes naming(const std::string& path, Make make) {
  try {
    return base::to_bytes(make());
  } catch (const Error& error) {
    if (std::string_view(error.what()).find(path) != std::string_view::npos) throw;
    throw error.in(path);
  }
}

Bytes describe(ByteView bytes) {
  const auto request = base::from_bytes<DescribeRequest>(bytes);
  return naming(request.path, [&] { return describe_file_facts(request); });
}

Bytes names(ByteView bytes) {
  const auto request = base::from_bytes<NamesRequest>(bytes);
  return base::to_bytes(read_names(request.path, request.dataset));
}

// More time for many chunks, but not for more than the file can have stored.
Bytes map(ByteView bytes) {
  constexpr u64 bytes_each = 64;
  const auto request = base::from_bytes<MapRequest>(bytes);
  std::error_code unreadable;
  const u64 stored = std::filesystem::file_size(request.facts.file, unreadable) / 16;
  h5::Sandbox::step(unreadable ? 0 : std::min(stored, request.count < stored ? request.count * bytes_each : stored));
  return base::to_bytes(h5::map_chunks(request.facts, request.first, request.count));
}

Bytes list(ByteView bytes) {
  const auto path = base::from_bytes<std::string>(bytes);
  return naming(path, [&] {
    FileContents contents;
    contents.datasets = h5::describe_all_datasets(path);
    contents.tables = find_tables(contents.datasets);
    contents.matrices = single_cell_matrices(path);
    for (const auto& matrix : contents.matrices)
      if (auto sparse = sparse_table(path, matrix)) contents.tables.push_back(std::move(*sparse));
    return contents;
  });
}

// Keeps the datasets that were read last open: opening one costs milliseconds.
class Reads {
 public:
  Bytes operator()(ByteView bytes) {
    const auto request = base::from_bytes<ReadRequest>(bytes);
    h5::Sandbox::step(bytes_of(request));
    auto& entry = find(request.facts);
    auto& rows = entry.reader;
    if (!request.facts.categories.empty()) {
      if (!entry.categories) entry.categories = read_categories(request.facts);
      return decode_categories(
          *entry.categories, request.facts.read_as->size,
          rows.read(request.rows, {.kind = ElementKind::signed_integer, .size = sizeof(base::i64)}));
    }
    return request.facts.read_as ? rows.read(request.rows, *request.facts.read_as) : rows.read_records(request.rows);
  }

 private:
  static constexpr std::size_t most_open = 16;
  struct Entry {
    std::string file;
    std::string name;
    h5::RowReader reader;
    std::optional<std::vector<std::string>> categories{};  // of codes, once they are read
  };
  static u64 bytes_of(const ReadRequest& request) {
    const u64 elements = base::checked_product(std::span(request.facts.shape).subspan(1), request.rows.size());
    return base::checked_mul(elements, std::max<u64>(request.facts.record_bytes, sizeof(double)));
  }
  Entry& find(const DatasetFacts& facts) {
    for (auto i = open_.begin(); i != open_.end(); ++i) {
      if (i->file != facts.file || i->name != facts.name) continue;
      open_.splice(open_.begin(), open_, i);
      return open_.front();
    }
    open_.push_front({facts.file, facts.name, h5::RowReader(facts)});
    if (open_.size() > most_open) open_.pop_back();
    return open_.front();
  }
  std::list<Entry> open_;
};

}  // namespace

std::map<std::string, h5::Sandbox::Function> storage_functions() {
  return {{"storage.describe", describe},
          {"storage.map", map},
          {"storage.names", names},
          {"storage.list", list},
          {"storage.read", [reads = std::make_shared<Reads>()](ByteView request) { return (*reads)(request); }}};
}

FileDescription describe_file(h5::Sandbox& name_node, const std::string& path) {
  const auto contents = base::from_bytes<FileContents>(name_node.call("storage.list", base::to_bytes(path), path));
  const auto fitting = candidates(contents.tables);
  const auto is_candidate = [&](const std::string& name) {
    if (!contents.matrices.empty())
      return std::find(contents.matrices.begin(), contents.matrices.end(), name) != contents.matrices.end();
    return std::any_of(fitting.begin(), fitting.end(), [&](const FoundTable& t) { return t.facts.dataset == name; });
  };
  FileDescription description;
  for (const auto& facts : contents.datasets) {
    DatasetDescription dataset;
    dataset.facts = facts;
    dataset.refusal = refusal(facts, role_of(facts));
    if (dataset.refusal.empty()) dataset.reading = reading_text(facts);
    dataset.candidate = is_candidate(facts.name);
    description.datasets.push_back(std::move(dataset));
  }
  for (const auto& found : contents.tables) {
    const auto& facts = found.facts;
    if (facts.kind == TableKind::array) continue;
    description.tables.push_back({.kind = facts.kind,
                                  .dataset = facts.dataset,
                                  .rows = found.refusal.empty() ? facts.rows() : 0,
                                  .columns = facts.sparse ? facts.sparse->columns : facts.names.size(),
                                  .names = facts.names,
                                  .left_out = facts.left_out,
                                  .candidate = found.refusal.empty() && is_candidate(facts.dataset),
                                  .refusal = found.refusal});
  }
  return description;
}

}  // namespace h5score::storage

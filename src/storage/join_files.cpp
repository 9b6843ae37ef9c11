// Many files as one row space: what must agree, and what may differ.
#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/base/narrow.hpp"

#include "feature_names.hpp"
#include "input_files.hpp"
#include "meaning.hpp"
#include "name_node_calls.hpp"
#include "reading.hpp"
#include "selection.hpp"
#include "sparse_input.hpp"
#include "unpack.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <span>

namespace h5score::storage {
namespace {

using base::ElementKind;
using base::Error;
using base::ExitCode;

// Files by path, so that a file named twice, or holding several arrays, is looked at once.
using ByteFiles = std::map<std::string, std::shared_ptr<const ByteFile>>;

std::shared_ptr<const ByteFile> byte_file(ByteFiles& known, const std::string& path) {
  auto& file = known[path];
  if (!file) file = std::make_shared<const ByteFile>(stat_file(path));
  return file;
}

void check_extent(const ArraySource& source, const ArrayFormat& format) {
  if (format.access != Access::contiguous || source.facts.address == h5::no_address) return;
  const u64 size = base::checked_mul(source.facts.shape[0], format.row_bytes());
  if (base::checked_add(source.facts.address, size) > source.bytes->size)
    throw Error(ExitCode::data, source.facts.file + ": " + source.facts.name + ": the file is damaged or truncated",
                "its data would end at byte " + std::to_string(source.facts.address + size) + ", the file has " +
                    std::to_string(source.bytes->size));
}

// What stays the same from file to file.
struct Context {
  h5::Sandbox& name_node;
  std::string dataset;
  GivenNames names;
  ByteFiles known;
};

// A file and what the name node says of its table.
struct Opened {
  InputFile file;
  TableFacts table;
  std::vector<PassthroughFacts> passthrough;
};

ArraySource source_of(Context& context, const std::string& path, h5::DatasetFacts facts, Role role) {
  const std::string why = refusal(facts, role);
  if (!why.empty()) throw Error(ExitCode::data, path + ": '" + facts.name + "' cannot be read", why);
  ArraySource source;
  source.facts = std::move(facts);
  source.bytes = byte_file(context.known, source.facts.file);
  check_extent(source, array_format(source.facts));
  return source;
}

// Facts come from a process that a damaged file may have taken over: places must lie inside their arrays.
void check_field(const std::vector<ArraySource>& sources, const StoredField& field, u64 elements) {
  const bool inside =
      field.array < sources.size() && base::checked_add(field.offset, base::checked_mul(elements, field.type.size)) <=
                                          array_format(sources[field.array].facts).row_bytes();
  if (!inside) throw Error(ExitCode::internal, "the name node describes a column that lies outside its rows");
}

u32 index_of_source(Context& context, Opened& opened, h5::DatasetFacts& facts) {
  auto& sources = opened.file.sources;
  const auto same = std::find_if(sources.begin(), sources.end(), [&](const ArraySource& source) {
    return source.facts.file == facts.file && source.facts.object == facts.object &&
           source.facts.categories == facts.categories;
  });
  if (same != sources.end()) return base::narrow<u32>(same - sources.begin());
  sources.push_back(source_of(context, opened.file.record.path, std::move(facts), Role::passthrough));
  return base::narrow<u32>(sources.size() - 1);
}

u32 crc_of(const std::vector<std::string>& names) {
  u32 crc = 0;
  for (const auto& name : names) crc = base::crc32(std::as_bytes(std::span(name.c_str(), name.size() + 1)), crc);
  return crc;
}

Opened open_file(Context& context, const std::string& path, const std::vector<std::string>& passthrough) {
  // Before the library reads it: a change from now on is noticed.
  const auto bytes = byte_file(context.known, path);
  const DescribeRequest request{path, context.dataset, passthrough, context.names.dataset};
  auto facts = base::from_bytes<FileFacts>(context.name_node.call("storage.describe", base::to_bytes(request), path));
  Opened opened{{}, std::move(facts.table), std::move(facts.passthrough)};
  if (opened.table.arrays.empty() || opened.passthrough.size() != passthrough.size())
    throw Error(ExitCode::internal, path + ": the name node answers for another number of datasets");
  const bool given = !context.names.names.empty() || !context.names.dataset.empty();
  if (given && !opened.table.fields.empty())
    throw Error(ExitCode::usage, "--feature-names cannot be used",
                "the columns of " + opened.table.dataset + " have names of their own");
  if (!context.names.names.empty()) {
    opened.table.names = context.names.names;
    opened.table.names_from = context.names.from;
  }
  InputFile& file = opened.file;
  file.record.path = path;
  file.dataset_rows = opened.table.rows();
  for (auto& array : opened.table.arrays)
    file.sources.push_back(source_of(context, path, std::move(array), role_of(opened.table.kind)));
  file.table_sources = file.sources.size();
  if (opened.table.sparse) keep_matrix(file, opened.table);
  for (u64 column = 0; column < opened.table.fields.size(); ++column) {
    check_field(file.sources, opened.table.fields[column], 1);
    file.columns.push_back({column, opened.table.fields[column]});
  }
  for (auto& column : opened.passthrough) {
    column.field.array = index_of_source(context, opened, column.array);
    check_field(file.sources, column.field, base::checked_product(column.row_shape));
    file.passthrough.push_back(column.field);
  }
  for (std::size_t i = 0; i < file.sources.size(); ++i)
    if (!file.of_elements(i) && file.sources[i].facts.shape[0] != file.dataset_rows)
      throw Error(ExitCode::internal, path + ": the name node describes columns of other lengths");
  file.record = {.path = path,
                 .dataset = opened.table.dataset,
                 .rows = file.dataset_rows,
                 .size = bytes->size,
                 .mtime_ns = bytes->mtime_ns,
                 .names_crc = crc_of(opened.table.names)};
  return opened;
}

void require_different(const std::string& path, const TableFacts& table) {
  std::set<std::string> known;
  for (const auto& name : table.names)
    if (!known.insert(name).second)
      throw Error(ExitCode::data, path + ": " + table.dataset + ": two columns have the name '" + name + "'",
                  "from " + table.names_from);
}

std::vector<std::string> meanings_of(const InputFile& file) {
  const auto meaning = [](const h5::DatasetFacts& array) {
    return array.packing && array.type ? packing_text(*array.packing, *array.type) : std::string();
  };
  std::vector<std::string> meanings;
  if (file.columns.empty()) meanings.push_back(meaning(file.sources.front().facts));
  for (const auto& column : file.columns) meanings.push_back(meaning(file.sources[column.field.array].facts));
  const bool none = std::all_of(meanings.begin(), meanings.end(), [](const auto& text) { return text.empty(); });
  return none ? std::vector<std::string>() : meanings;
}

SourceTable source_table(const TableFacts& facts, const InputFile& file) {
  SourceTable table;
  table.kind = facts.kind;
  table.dataset = facts.dataset;
  table.names = facts.names;
  table.names_from = facts.names_from;
  if (!file.sparse) table.meanings = meanings_of(file);
  const auto array = array_format(file.sources.front().facts);
  if (file.sparse) {
    table.columns = file.sparse->facts.columns;
    table.row_shape = {table.columns};
    table.types = {array_format(file.sources[1].facts).type};
  } else if (file.columns.empty()) {
    table.columns = array.row_elements();
    table.row_shape = array.row_shape;
    table.types = {array.type};
  } else {
    table.columns = file.columns.size();
    table.row_shape = {table.columns};
    for (const auto& column : file.columns) table.types.push_back(column.field.type);
  }
  if (!table.names.empty() && table.names.size() != table.columns)
    throw Error(ExitCode::data,
                file.record.path + ": " + table.dataset + " has " + std::to_string(table.columns) + " columns but " +
                    std::to_string(table.names.size()) + " names",
                "from " + table.names_from);
  require_different(file.record.path, facts);
  return table;
}

// Renumbers a file's columns as the first file's, by name: it may lack some, and have others. Columns without names
// must be as many.
void match_columns(const SourceTable& table, const InputFile& first, Opened& opened) {
  InputFile& file = opened.file;
  const std::string where = file.record.path + ": " + file.record.dataset;
  if (opened.table.kind != table.kind)
    throw Error(ExitCode::data, where + ": is another kind of table than in " + first.record.path);
  if (file.columns.empty()) {
    const SourceTable own = source_table(opened.table, file);
    if (file.sparse && !own.names.empty() && !table.names.empty()) {
      match_matrix(table, own.names, file);
      return;
    }
    if (own.columns != table.columns)
      throw Error(ExitCode::data, file.record.path + ": has " + std::to_string(own.columns) + " features",
                  first.record.path + " has " + std::to_string(table.columns));
    if (own.names != table.names)
      throw Error(ExitCode::data,
                  where + ": its columns have other names or another order than in " + first.record.path,
                  "names from " + own.names_from);
    return;
  }
  require_different(file.record.path, opened.table);
  std::map<std::string, u64> places;
  for (u64 i = 0; i < opened.table.names.size(); ++i) places[opened.table.names[i]] = i;
  std::vector<StoredColumn> columns;
  for (u64 column = 0; column < table.columns; ++column) {
    const auto found = places.find(table.names[column]);
    if (found == places.end())
      file.absent.push_back(column);
    else
      columns.push_back({column, file.columns.at(found->second).field});
  }
  if (columns.empty()) throw Error(ExitCode::data, where + ": has none of the columns of " + first.record.path);
  file.columns = std::move(columns);
}

// Values keep what they mean only where they mean the same in all files; mere descriptions may differ.
void unite_meaning(PassthroughColumn& column, const InputFile& first, const InputFile& file,
                   const PassthroughFacts& found) {
  const auto meaning = passed_meaning(file.sources[found.field.array].facts, found.field.type);
  if (const std::string why = meaning_difference(meaning, column.meaning, first.record.path); !why.empty())
    throw Error(ExitCode::data, file.record.path + ": passthrough column '" + column.name + "' means something else",
                why, "pass it through in separate runs");
  keep_same(column.meaning, meaning);
}

// Fixed strings grow to the longest; everything else must agree but for the byte order.
void unite(PassthroughColumn& column, const InputFile& first, const InputFile& file, const PassthroughFacts& found) {
  const auto& type = found.field.type;
  const bool text = column.type.kind == ElementKind::fixed_string && type.kind == ElementKind::fixed_string;
  const bool alike = text || (column.type.kind == type.kind && column.type.size == type.size);
  if (!alike || column.row_shape != found.row_shape)
    throw Error(ExitCode::data, file.record.path + ": passthrough column '" + column.name + "' differs between files",
                to_string(type) + " with " + std::to_string(base::checked_product(found.row_shape)) +
                    " elements per row, in " + first.record.path + " " + to_string(column.type));
  unite_meaning(column, first, file, found);
  if (!text) return;
  column.type.size = std::max(column.type.size, type.size);
  column.type.utf8 |= type.utf8;
  column.type.space_padded &= type.space_padded;
}

}  // namespace

JoinedFiles join_files(h5::Sandbox& name_node, const InputOptions& options) {
  JoinedFiles joined;
  Context context{name_node, options.dataset, given_names(name_node, options.feature_names), {}};
  for (const auto& path : expand_paths(options.inputs)) {
    Opened opened = open_file(context, path, options.passthrough);
    InputFile& file = opened.file;
    if (joined.files.empty()) {
      joined.table = source_table(opened.table, file);
      // What was found in the first file is meant in the others.
      context.dataset = file.record.dataset;
    } else {
      match_columns(joined.table, joined.files.front(), opened);
    }
    const InputFile& first = joined.files.empty() ? file : joined.files.front();
    for (std::size_t i = 0; i < options.passthrough.size(); ++i) {
      const auto& found = opened.passthrough[i];
      if (joined.files.empty())
        joined.passthrough.push_back({options.passthrough[i], found.field.type, found.row_shape,
                                      passed_meaning(file.sources[found.field.array].facts, found.field.type)});
      unite(joined.passthrough[i], first, file, found);
    }
    file.record.first_row = joined.rows;
    joined.rows = base::checked_add(joined.rows, file.dataset_rows);
    joined.files.push_back(std::move(file));
  }
  if (joined.files.empty()) throw Error(ExitCode::usage, "no input is given", "", "name a file with --input");
  return joined;
}

}  // namespace h5score::storage

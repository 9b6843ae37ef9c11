// Which of a file's arrays the bindings need, and where the columns lie in them.
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "input_files.hpp"
#include "reading.hpp"
#include "sparse_input.hpp"

#include <algorithm>
#include <map>

namespace h5score::storage {
namespace {

// Moves sources to the format's arrays, each once.
class Arrays {
 public:
  Arrays(InputFile& file, FileFormat& format) : file_(file), format_(format) {}
  u32 place(u32 source) {
    const auto [found, added] = places_.try_emplace(source, base::narrow<u32>(format_.arrays.size()));
    if (added) {
      format_.arrays.push_back(array_format(file_.sources[source].facts));
      file_.arrays.push_back(std::move(file_.sources[source]));
    }
    return found->second;
  }

 private:
  InputFile& file_;
  FileFormat& format_;
  std::map<u32, u32> places_;
};

}  // namespace

std::vector<u64> needed_columns(const SourceTable& table, const std::vector<Binding>& bindings) {
  std::vector<bool> needed(table.columns, false);
  const auto need = [&](u64 column) {
    if (column == FeatureSource::none) return;
    if (column >= table.columns)
      throw base::Error(base::ExitCode::internal,
                        "a binding names column " + std::to_string(column) + " of " + std::to_string(table.columns));
    needed[column] = true;
  };
  for (const auto& binding : bindings) {
    if (binding.total_count > 0) needed.assign(table.columns, true);
    for (const auto& source : binding.features) {
      need(source.column);
      need(source.minus);
    }
  }
  std::vector<u64> columns;
  for (u64 column = 0; column < table.columns; ++column)
    if (needed[column]) columns.push_back(column);
  if (columns.empty()) columns.push_back(0);  // rows are counted by their bytes
  return columns;
}

void require_bound_columns(const SourceTable& table, const InputFile& first, const InputFile& file,
                           const std::vector<Binding>& bindings) {
  const auto refuse = [&](u64 column) {
    throw base::Error(
        base::ExitCode::data,
        file.record.path + ": " + file.record.dataset + ": there is no column '" + table.names[column] + "'",
        first.record.path + " has one");
  };
  const auto require = [&](u64 column) {
    if (std::binary_search(file.absent.begin(), file.absent.end(), column)) refuse(column);
  };
  for (const auto& binding : bindings) {
    if (binding.total_count > 0 && !file.sparse && !file.absent.empty()) refuse(file.absent.front());
    for (const auto& feature : binding.features) {
      require(feature.column);
      require(feature.minus);
    }
  }
}

FileFormat bind_file(InputFile& file, TableKind kind, const std::vector<u64>& needed) {
  FileFormat format;
  if (file.sparse) {
    format.matrix_columns = file.sparse->facts.columns;
    format.table_columns = file.sparse->table_columns;
  }
  Arrays arrays(file, format);
  if (kind != TableKind::columns)
    for (u32 source = 0; source < file.table_sources; ++source) arrays.place(source);
  for (StoredColumn column : file.columns) {
    if (!std::binary_search(needed.begin(), needed.end(), column.column)) continue;
    column.field.array = arrays.place(column.field.array);
    format.columns.push_back(column);
  }
  if (format.columns.empty() && !file.columns.empty()) {  // rows are counted by their bytes
    StoredColumn any = file.columns.front();
    any.field.array = arrays.place(any.field.array);
    format.columns.push_back(any);
  }
  for (StoredField field : file.passthrough) {
    field.array = arrays.place(field.array);
    format.passthrough.push_back(field);
  }
  if (file.sparse && file.sparse->facts.by_column) describe_transposed(format);
  file.sources.clear();
  return format;
}

}  // namespace h5score::storage

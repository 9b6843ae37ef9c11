// Matching of matrices by the names of their columns, and their rows.
#include "sparse_input.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "sparse_matrix.hpp"

#include <algorithm>
#include <bit>
#include <map>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;

// Each row of a file takes 8 bytes of memory, of one stored by column 16.
constexpr u64 most_sparse_rows = u64{1} << 28;
// By column, nothing is stored of empty rows: so many there may be.
constexpr u64 rows_without_elements = u64{1} << 24;
constexpr u64 rows_per_element = 64;

constexpr base::ElementType column_type{.kind = base::ElementKind::unsigned_integer,
                                        .size = sizeof(u32),
                                        .big_endian = std::endian::native == std::endian::big};

// Elements that transpose() wrote, as if they were a dataset.
void point_to_spool(ArraySource& source, const TransposedRows& rows, u64 address) {
  source.bytes = rows.bytes;
  source.facts.address = address;
  source.facts.shape = {rows.offsets.back()};
}

// What a file claims is kept in memory here, outside the sandbox: no more than it can hold. Chunks that no filter
// made smaller, and contiguous bytes, are as many as the file has; deflate packs up to 1032 bytes into one.
void check_stored(const SparseFacts& facts, const h5::DatasetFacts& array, u64 file_bytes) {
  constexpr u64 always_allowed = u64{1} << 27;
  constexpr u64 ratio = 1100;
  if (array.layout != h5::Layout::contiguous && array.layout != h5::Layout::chunked) return;
  const u64 size = array.type ? array.type->size : 1;
  const u64 held = array.filters.empty() ? file_bytes : base::checked_mul(file_bytes, ratio);
  if (base::checked_mul(array.shape[0], size) <= std::max(always_allowed, held)) return;
  throw Error(ExitCode::data, array.file + ": '" + facts.name + "' is not a valid sparse matrix",
              "'" + array.name + "' claims " + std::to_string(array.shape[0]) + " numbers in a file of " +
                  std::to_string(file_bytes) + " bytes");
}

void check_rows(const SparseFacts& facts, const std::string& path) {
  if (facts.rows > most_sparse_rows)
    throw Error(ExitCode::data, path + ": '" + facts.name + "' has too many rows",
                std::to_string(facts.rows) + ", at most " + std::to_string(most_sparse_rows) + " of one file",
                "cut it into several files");
  const u64 elements = facts.indices.shape[0];
  if (facts.by_column && facts.rows > rows_without_elements && facts.rows / rows_per_element > elements)
    throw Error(ExitCode::data, path + ": '" + facts.name + "' is not a valid sparse matrix",
                "its shape has " + std::to_string(facts.rows) + " rows for " + std::to_string(elements) + " elements");
}

}  // namespace

void keep_matrix(InputFile& file, const TableFacts& table) {
  const auto& facts = *table.sparse;
  const auto one_axis = [](const ArraySource& source) { return source.facts.shape.size() == 1; };
  const bool possible = table.kind == TableKind::sparse && file.sources.size() == 2 && one_axis(file.sources[0]) &&
                        one_axis(file.sources[1]) && file.sources[0].facts.shape == file.sources[1].facts.shape &&
                        file.sources[0].facts.shape == facts.indices.shape && facts.offsets.shape.size() == 1 &&
                        facts.rows != 0 && facts.columns != 0 && facts.columns < ~u32{0} &&
                        facts.offsets.shape[0] - 1 == (facts.by_column ? facts.columns : facts.rows);
  if (!possible)
    throw Error(ExitCode::internal, file.record.path + ": the name node describes an impossible sparse matrix");
  check_rows(facts, file.record.path);
  check_stored(facts, facts.offsets, stat_file(facts.offsets.file).size);
  for (std::size_t i = 0; i < 2; ++i) check_stored(facts, file.sources[i].facts, file.sources[i].bytes->size);
  file.sparse = SparseSource{.facts = facts, .table_columns = {}, .matrix = file.sources[0].bytes, .offsets = {}};
}

void match_matrix(const SourceTable& table, const std::vector<std::string>& names, InputFile& file) {
  if (names == table.names) return;
  auto& sparse = *file.sparse;
  std::map<std::string_view, u32> places;
  for (u64 column = 0; column < table.columns; ++column) places[table.names[column]] = base::narrow<u32>(column);
  std::vector<bool> found(table.columns, false);
  for (const auto& name : names) {
    const auto place = places.find(name);
    sparse.table_columns.push_back(place == places.end() ? base::narrow<u32>(table.columns) : place->second);
    if (place != places.end()) found[place->second] = true;
  }
  for (u64 column = 0; column < table.columns; ++column)
    if (!found[column]) file.absent.push_back(column);
}

void open_matrix(h5::Sandbox& name_node, const SourceTable& table, const std::vector<u64>& needed, InputFile& file) {
  auto& sparse = *file.sparse;
  if (!sparse.facts.by_column) {
    sparse.offsets = read_offsets(name_node, sparse.facts);
    sparse.offsets.resize(file.rows().end + 1);
    sparse.offsets.erase(sparse.offsets.begin(),
                         sparse.offsets.begin() + static_cast<std::ptrdiff_t>(file.rows().begin));
    return;
  }
  std::vector<bool> wanted;
  if (needed.size() != table.columns) {
    wanted.assign(sparse.facts.columns, false);
    for (u64 column = 0; column < sparse.facts.columns; ++column) {
      const u64 of_table = sparse.table_columns.empty() ? column : sparse.table_columns[column];
      wanted[column] = std::binary_search(needed.begin(), needed.end(), of_table);
    }
  }
  auto rows = transpose(name_node, sparse.facts, wanted, file.rows());
  point_to_spool(file.arrays[0], rows, rows.indices_address);
  point_to_spool(file.arrays[1], rows, rows.values_address);
  sparse.offsets = std::move(rows.offsets);
}

void describe_transposed(FileFormat& format) {
  format.arrays[0].type = column_type;
  for (auto& array : {&format.arrays[0], &format.arrays[1]}) {
    array->access = Access::contiguous;
    array->chunk.clear();
    array->filters.clear();
    array->fill.assign(array->type.size, std::byte{0});
  }
}

}  // namespace h5score::storage

// One row of all columns of a score file.
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"
#include "h5score/storage/score_description.hpp"

#include <algorithm>

namespace h5score::storage {
namespace {

using base::ExitCode;
using h5::check;
using h5::Handle;

constexpr u64 most_values = 10'000'000;

struct RowRequest {
  std::string path;
  u64 row = 0;
};
template <class A>
void archive(A& ar, RowRequest& v) {
  ar(v.path, v.row);
}

// The row's elements as `memory` in C order.
template <class T>
std::vector<T> read_row(const Handle& dataset, const std::vector<u64>& shape, u64 row, hid_t memory, u64 elements) {
  const char* const what = "a row cannot be read";
  std::vector<hsize_t> start(shape.size(), 0);
  std::vector<hsize_t> count(shape.begin(), shape.end());
  start[0] = row;
  count[0] = 1;
  const Handle from(H5Dget_space(dataset.get()), what);
  check(H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), what);
  const Handle to(H5Screate_simple(base::narrow<int>(count.size()), count.data(), nullptr), what, ExitCode::internal);
  std::vector<T> values(elements);
  if (!values.empty()) check(H5Dread(dataset.get(), memory, to.get(), from.get(), H5P_DEFAULT, values.data()), what);
  return values;
}

ScoreValues read_column(const Handle& file, const ScoreColumn& column, u64 row) {
  const Handle dataset = h5::open_dataset(file, column.path);
  const auto shape = h5::shape_of(dataset);
  const u64 width = base::checked_product({shape.begin() + 1, shape.end()});
  if (width > most_values || row >= shape.at(0))
    throw base::Error(ExitCode::data, column.path + ": the row cannot be read");
  if (column.type.kind == base::ElementKind::floating)
    return read_row<double>(dataset, shape, row, H5T_NATIVE_DOUBLE, width);
  if (column.type.kind == base::ElementKind::signed_integer)
    return read_row<i64>(dataset, shape, row, H5T_NATIVE_INT64, width);
  if (column.type.kind == base::ElementKind::unsigned_integer)
    return read_row<u64>(dataset, shape, row, H5T_NATIVE_UINT64, width);
  const Handle type = h5::datatype(column.type);
  const auto bytes = read_row<char>(dataset, shape, row, type.get(), base::checked_mul(width, column.type.size));
  std::vector<std::string> texts;
  for (u64 i = 0; i < width; ++i) {
    const auto begin = bytes.begin() + base::narrow<std::ptrdiff_t>(i * column.type.size);
    texts.emplace_back(begin, std::find(begin, begin + column.type.size, '\0'));
    if (column.type.space_padded) texts.back().erase(texts.back().find_last_not_of(' ') + 1);
  }
  return texts;
}

}  // namespace

std::vector<ScoreValues> read_score_row(const std::string& path, const std::vector<ScoreColumn>& columns, u64 row) {
  const Handle file = h5::open_file(path);
  std::vector<ScoreValues> values;
  for (const auto& column : columns) values.push_back(read_column(file, column, row));
  return values;
}

base::Bytes score_row_request(const std::string& path, u64 row) {
  return base::to_bytes(RowRequest{path, row});
}

base::Bytes read_score_row_handler(base::ByteView bytes) {
  const auto request = base::from_bytes<RowRequest>(bytes);
  return base::to_bytes(read_score_row(request.path, read_scores(request.path).columns, request.row));
}

}  // namespace h5score::storage

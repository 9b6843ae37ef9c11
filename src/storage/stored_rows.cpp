// The bytes of result columns, as they are in a score file of any layout.
#include "h5score/storage/stored_rows.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/hash.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

#include <algorithm>
#include <memory>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using h5::check;
using h5::Handle;

constexpr const char* request_name = "storage.stored_rows";

struct RowsRequest {
  std::string path;
  std::string column;
  base::RowRange rows;
};
template <class A>
void archive(A& ar, RowsRequest& v) {
  ar(v.path, v.column, v.rows.begin, v.rows.end);
}

/// Reads by the library, in the name node; keeps the file and the column of the last request open.
class LibraryReader {
 public:
  base::Bytes operator()(base::ByteView bytes) {
    const auto request = base::from_bytes<RowsRequest>(bytes);
    if (request.path != path_) {
      dataset_ = {};
      file_ = h5::open_file(request.path);
      path_ = request.path;
      column_.clear();
    }
    if (request.column != column_) {
      dataset_ = h5::open_dataset(file_, request.column);
      column_ = request.column;
    }
    return read(request);
  }

 private:
  [[nodiscard]] base::Bytes read(const RowsRequest& request) const {
    const std::string what = request.column + ": rows from " + std::to_string(request.rows.begin) + " cannot be read";
    auto shape = h5::shape_of(dataset_);
    if (shape.empty() || request.rows.end > shape[0] || request.rows.empty())
      throw Error(ExitCode::data, what, "it does not have them");
    std::vector<hsize_t> start(shape.size(), 0);
    std::vector<hsize_t> count(shape.begin(), shape.end());
    start[0] = request.rows.begin;
    count[0] = request.rows.size();
    shape[0] = request.rows.size();
    const Handle type(H5Dget_type(dataset_.get()), what);
    const Handle from(H5Dget_space(dataset_.get()), what);
    check(H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), what);
    const Handle to(H5Screate_simple(base::narrow<int>(count.size()), count.data(), nullptr), what, ExitCode::internal);
    base::Bytes bytes(base::checked_product(shape, H5Tget_size(type.get())));
    if (!bytes.empty())
      check(H5Dread(dataset_.get(), type.get(), to.get(), from.get(), H5P_DEFAULT, bytes.data()), what);
    return bytes;
  }

  std::string path_;
  std::string column_;
  Handle file_;
  Handle dataset_;
};

}  // namespace

std::map<std::string, h5::Sandbox::Function> stored_rows_functions() {
  return {{request_name, [reader = std::make_shared<LibraryReader>()](ByteView bytes) { return (*reader)(bytes); }}};
}

StoredRows::StoredRows(h5::Sandbox& name_node, const ScoreDescription& scores)
    : name_node_(name_node), scores_(scores), file_(PosixCalls::system(), scores.path, O_RDONLY) {
  const struct stat status = file_.status();
  if (status.st_ino != scores.inode || static_cast<u64>(status.st_size) != scores.file_size)
    throw Error(ExitCode::data, scores.path + ": changed while it was opened", {}, "see whether a run writes it");
  for (const auto& column : scores.columns) row_bytes_.push_back(column.row_bytes());
}

bool StoredRows::in_place() const {
  for (std::size_t i = 0; i < row_bytes_.size(); ++i)
    if (scores_.column_extents[i].size != base::checked_mul(scores_.rows, row_bytes_[i])) return false;
  return true;
}

void StoredRows::read(u64 column, base::RowRange rows, base::AlignedBuffer& buffer, const Poll& poll) const {
  const u64 size = base::checked_mul(rows.size(), row_bytes_[column]);
  buffer.resize(size);
  if (size == 0) return;
  const Extent& extent = scores_.column_extents[column];
  if (extent.size != 0) {  // in one piece
    file_.read(buffer.span(), extent.offset + rows.begin * row_bytes_[column], poll);
    return;
  }
  const RowsRequest request{scores_.path, scores_.columns[column].path, rows};
  const auto bytes = name_node_.call(request_name, base::to_bytes(request), scores_.path, poll);
  if (bytes.size() != size) throw Error(ExitCode::internal, scores_.path + ": other bytes than asked for were read");
  std::copy(bytes.begin(), bytes.end(), buffer.data());
}

u32 StoredRows::crc(base::RowRange rows, base::AlignedBuffer& buffer, const Poll& poll) const {
  u32 crc = 0;
  for (u64 column = 0; column < row_bytes_.size(); ++column) {
    read(column, rows, buffer, poll);
    crc = base::crc32(buffer.view(), crc);
  }
  return crc;
}

}  // namespace h5score::storage

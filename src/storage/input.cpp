// The root's view of the input: one row space, fetched as bytes.
#include "h5score/storage/input.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"

#include "byte_reader.hpp"
#include "input_files.hpp"
#include "name_node_calls.hpp"
#include "payload.hpp"
#include "selection.hpp"

#include <algorithm>
#include <cstring>
#include <map>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using base::RowRange;

// Cuts every file to its share of the selected rows and renumbers.
void select_rows(std::vector<InputFile>& files, RowRange selected) {
  for (auto& file : files) {
    const RowRange own{file.record.first_row, file.record.first_row + file.dataset_rows};
    const u64 begin = std::clamp(selected.begin, own.begin, own.end);
    const u64 end = std::clamp(selected.end, own.begin, own.end);
    file.record.dataset_row = begin - own.begin;
    file.record.rows = end - begin;
    file.record.first_row = begin - selected.begin;
    if (begin == end) file.record.first_row = own.begin < selected.begin ? 0 : selected.size();
  }
}

// For a grid that splits the columns of a table: which chunks of a chunk row hold selected columns.
std::vector<bool> needed_chunks(const ChunkGrid& grid, const std::vector<ColumnRun>& columns) {
  if (grid.shape.size() != 2 || grid.per_row == 1) return {};
  std::vector<bool> needed(grid.per_row, false);
  for (const auto& run : columns)
    for (u64 chunk = run.begin / grid.chunk[1]; chunk * grid.chunk[1] < run.begin + run.count; ++chunk)
      needed[chunk] = true;
  return needed;
}

void map_array(h5::Sandbox& name_node, const InputFile& file, const ArrayFormat& format, ArraySource& source) {
  const ChunkGrid grid(format, file.dataset_rows);
  const RowRange chunk_rows = grid.chunk_rows(file.rows());
  const MapRequest request{source.facts, chunk_rows.begin, chunk_rows.size()};
  source.map = base::from_bytes<h5::ChunkMap>(name_node.call("storage.map", base::to_bytes(request), file.record.path));
  source.first_chunk_row = chunk_rows.begin;
  const u64 chunks = chunk_rows.size() * grid.per_row;
  const bool complete = source.map.address.size() == chunks && source.map.size.size() == chunks &&
                        (source.map.mask.empty() || source.map.mask.size() == chunks);
  if (!complete) throw Error(ExitCode::internal, file.record.path + ": the chunk map is incomplete");
}

}  // namespace

class Input::Impl {
 public:
  Impl(h5::Sandbox& name_node, const InputOptions& options) : name_node_(name_node) {
    auto joined = join_files(name_node, options);
    files_ = std::move(joined.files);
    format_ = std::move(joined.format);
    const RowRange selected = parse_rows(options.rows, joined.rows);
    rows_ = selected.size();
    select_rows(files_, selected);
    for (auto& file : files_) {
      if (file.record.rows != 0) map_file(file);
      records_.push_back(file.record);
    }
  }

  [[nodiscard]] std::vector<RowSpan> spans() const {
    std::vector<RowSpan> spans;
    for (const auto& file : files_) {
      if (file.record.rows == 0) continue;
      const auto& arrays = format_.formats[file.format].arrays;
      RowSpan span{.rows = file.record.rows};
      if (arrays.front().access == Access::chunked) {
        span.chunk_rows = arrays.front().chunk[0];
        span.phase = file.record.dataset_row % span.chunk_rows;
      }
      for (std::size_t i = 0; i < arrays.size(); ++i) {
        const auto decoded = static_cast<double>(arrays[i].row_bytes());
        span.decoded_bytes_per_row += decoded;
        span.payload_bytes_per_row +=
            arrays[i].access == Access::chunked ? stored_bytes_per_row(file, arrays[i], file.arrays[i]) : decoded;
      }
      spans.push_back(span);
    }
    return spans;
  }

  [[nodiscard]] Recipe recipe(RowRange rows) const {
    const auto& file = file_of(rows);
    const u64 shift = file.record.dataset_row;
    const u64 first = file.record.first_row;
    return make_recipe(file, format_.formats[file.format], {rows.begin - first + shift, rows.end - first + shift});
  }

  void fetch(RowRange rows, base::AlignedBuffer& payload, const Poll& poll) {
    const auto& file = file_of(rows);
    const Recipe recipe = this->recipe(rows);
    payload.resize(recipe.payload_bytes);
    std::memcpy(payload.data(), recipe.head.data(), recipe.head.size());
    std::map<const ByteFile*, std::vector<ByteRange>> by_file;
    for (const auto& range : recipe.ranges) by_file[range.file].push_back(range.bytes);
    for (auto& [bytes, ranges] : by_file) reader_.read(*bytes, std::move(ranges), payload.data(), poll);
    const u64 begin = rows.begin - file.record.first_row + file.record.dataset_row;
    for (const auto& served : recipe.served) {
      const ReadRequest request{served.source->facts, {begin, begin + rows.size()}};
      const auto bytes = name_node_.call("storage.read", base::to_bytes(request), file.record.path, poll);
      if (bytes.size() != served.size)
        throw Error(ExitCode::internal, file.record.path + ": the name node served another number of bytes");
      std::memcpy(payload.data() + served.offset, bytes.data(), bytes.size());
      served_bytes_ += bytes.size();
    }
  }

  void check_unchanged() const {
    for (const auto& file : files_)
      for (const auto& array : file.arrays) check_same(*array.bytes, stat_file(array.bytes->path));
  }

  [[nodiscard]] u64 rows() const { return rows_; }
  [[nodiscard]] u64 bytes_read() const { return reader_.bytes_read() + served_bytes_; }
  [[nodiscard]] const std::vector<FileRecord>& records() const { return records_; }
  [[nodiscard]] const RowFormat& format() const { return format_; }

 private:
  void map_file(InputFile& file) {
    const auto& arrays = format_.formats[file.format].arrays;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      if (arrays[i].access != Access::chunked) continue;
      map_array(name_node_, file, arrays[i], file.arrays[i]);
      if (i == 0) file.arrays[i].needed = needed_chunks(ChunkGrid(arrays[i], file.dataset_rows), format_.columns);
    }
  }

  [[nodiscard]] static double stored_bytes_per_row(const InputFile& file, const ArrayFormat& format,
                                                   const ArraySource& source) {
    const ChunkGrid grid(format, file.dataset_rows);
    const RowRange chunk_rows = grid.chunk_rows(file.rows());
    const u64 covered = std::min(chunk_rows.end * grid.chunk[0], file.dataset_rows) - chunk_rows.begin * grid.chunk[0];
    double stored = 0;
    for (std::size_t i = 0; i < source.map.size.size(); ++i)
      if (source.needed.empty() || source.needed[i % grid.per_row]) stored += static_cast<double>(source.map.size[i]);
    // Of unfiltered chunks only the rows wanted are read, never the padding of the last ones.
    const u64 in_chunks = chunk_rows.size() * grid.chunk[0];
    return stored / static_cast<double>(format.filters.empty() ? in_chunks : covered);
  }

  [[nodiscard]] const InputFile& file_of(RowRange rows) const {
    const auto next = std::upper_bound(files_.begin(), files_.end(), rows.begin, [](u64 row, const InputFile& file) {
      return row < file.record.first_row + file.record.rows;
    });
    if (next == files_.end() || rows.empty() || rows.begin < next->record.first_row ||
        rows.end > next->record.first_row + next->record.rows)
      throw Error(ExitCode::internal, "rows " + std::to_string(rows.begin) + ":" + std::to_string(rows.end) +
                                          " do not lie in one file of the input");
    return *next;
  }

  h5::Sandbox& name_node_;
  std::vector<InputFile> files_;
  std::vector<FileRecord> records_;
  RowFormat format_;
  u64 rows_ = 0;
  ByteReader reader_;
  u64 served_bytes_ = 0;
};

Input::Input(h5::Sandbox& name_node, const InputOptions& options) : impl_(std::make_unique<Impl>(name_node, options)) {}
Input::Input(Input&&) noexcept = default;
Input& Input::operator=(Input&&) noexcept = default;
Input::~Input() = default;

u64 Input::rows() const {
  return impl_->rows();
}
const std::vector<FileRecord>& Input::files() const {
  return impl_->records();
}
const RowFormat& Input::format() const {
  return impl_->format();
}
std::vector<RowSpan> Input::spans() const {
  return impl_->spans();
}
u64 Input::payload_bound(RowRange rows) const {
  return impl_->recipe(rows).payload_bytes;
}
void Input::fetch(RowRange rows, base::AlignedBuffer& payload, const Poll& poll) {
  impl_->fetch(rows, payload, poll);
}
void Input::check_unchanged() const {
  impl_->check_unchanged();
}
u64 Input::bytes_read() const {
  return impl_->bytes_read();
}

}  // namespace h5score::storage

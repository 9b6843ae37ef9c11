// The root's view of the input: one row space, fetched as bytes.
#include "h5score/storage/input.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "byte_reader.hpp"
#include "file_identity.hpp"
#include "input_files.hpp"
#include "name_node_calls.hpp"
#include "payload.hpp"
#include "placement.hpp"
#include "selection.hpp"
#include "sparse_input.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
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

// For a grid that splits the columns of an array: which chunks of a chunk row hold needed columns.
std::vector<bool> needed_chunks(const ChunkGrid& grid, const std::vector<u64>& columns) {
  if (grid.shape.size() != 2 || grid.per_row == 1) return {};
  std::vector<bool> needed(grid.per_row, false);
  for (const u64 column : columns) needed[column / grid.chunk[1]] = true;
  return needed;
}

void map_array(h5::Sandbox& name_node, const InputFile& file, const ArrayFormat& format, RowRange rows,
               ArraySource& source) {
  source.grid.emplace(format, source.facts.shape[0]);
  const RowRange chunk_rows = source.grid->chunk_rows(rows);
  const MapRequest request{source.facts, chunk_rows.begin, chunk_rows.size()};
  source.map = base::from_bytes<h5::ChunkMap>(name_node.call("storage.map", base::to_bytes(request), file.record.path));
  source.first_chunk_row = chunk_rows.begin;
  const u64 chunks = chunk_rows.size() * source.grid->per_row;
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
    table_ = std::move(joined.table);
    format_.kind = table_.kind;
    format_.columns = table_.columns;
    format_.passthrough = std::move(joined.passthrough);
    const RowRange selected = parse_rows(options.rows, joined.rows);
    rows_ = selected.size();
    select_rows(files_, selected);
    for (const auto& file : files_) records_.push_back(file.record);
  }

  void bind(std::vector<Binding> bindings, Treatment treatment) {
    if (!format_.formats.empty()) throw Error(ExitCode::internal, "an input is bound twice");
    const auto needed = needed_columns(table_, bindings);
    format_.bindings = std::move(bindings);
    format_.treatment = std::move(treatment);
    for (auto& file : files_) {
      require_bound_columns(table_, files_.front(), file, format_.bindings);
      FileFormat format = bind_file(file, table_.kind, needed);
      const auto found = std::find(format_.formats.begin(), format_.formats.end(), format);
      file.format = base::narrow<u32>(found - format_.formats.begin());
      if (found == format_.formats.end()) format_.formats.push_back(std::move(format));
      if (file.record.rows != 0) map_file(file, needed);
      number_files(file);
    }
  }

  [[nodiscard]] std::vector<RowSpan> spans() const {
    std::vector<RowSpan> spans;
    for (const auto& file : files_) {
      if (file.record.rows == 0) continue;
      const auto& arrays = format_.formats[file.format].arrays;
      RowSpan span{.rows = file.record.rows};
      if (file.sparse) {
        span.offsets = file.sparse->offsets;
        span.payload_bytes_per_row = span.decoded_bytes_per_row = sizeof(u64);
        span.decoded_bytes_per_element = sizeof(u32);
      }
      double largest = 0;  // the grid that blocks should follow is that of the array with most bytes
      for (std::size_t i = 0; i < arrays.size(); ++i) {
        const bool chunked = arrays[i].access == Access::chunked;
        const auto decoded = static_cast<double>(arrays[i].row_bytes());
        const double stored = chunked ? stored_bytes_per_row(file.rows_of(i), arrays[i], file.arrays[i]) : decoded;
        if (file.of_elements(i)) {
          span.decoded_bytes_per_element += decoded;
          span.payload_bytes_per_element += stored;
          if (chunked) span.chunk_elements = std::max(span.chunk_elements, arrays[i].chunk[0]);
          continue;
        }
        span.decoded_bytes_per_row += decoded;
        span.payload_bytes_per_row += stored;
        if (!chunked || decoded <= largest) continue;
        largest = decoded;
        span.chunk_rows = arrays[i].chunk[0];
        span.phase = file.record.dataset_row % span.chunk_rows;
      }
      spans.push_back(span);
    }
    return spans;
  }

  [[nodiscard]] u64 payload_bound(RowRange rows) const {
    const auto& file = file_of(rows);
    return payload_bytes(file, format_.formats[file.format], in_dataset(file, rows));
  }

  [[nodiscard]] u64 assignment_bound(RowRange rows) const {
    const auto& file = file_of(rows);
    return assignment_bytes(file, format_.formats[file.format], in_dataset(file, rows));
  }

  [[nodiscard]] u64 decoded_bytes(RowRange rows) const {
    const auto& file = file_of(rows);
    const auto& arrays = format_.formats[file.format].arrays;
    const u64 elements = file.sparse ? file.elements(in_dataset(file, rows)).size() : 0;
    u64 bytes = file.sparse ? rows.size() * sizeof(u64) + elements * sizeof(u32) : 0;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      const RowRange own = file.rows_of(i, in_dataset(file, rows));
      u64 held = own.size();
      if (!arrays[i].filters.empty()) {  // whole chunks
        const auto& grid = *file.arrays[i].grid;
        held = grid.chunk_rows(own).size() * grid.chunk[0] + (whole_rows(grid) ? 0 : own.size());
      }
      bytes += arrays[i].row_bytes() * held;
    }
    return bytes;
  }

  void fetch(RowRange rows, base::AlignedBuffer& payload, const Poll& poll) {
    const auto& file = file_of(rows);
    const RowRange own = in_dataset(file, rows);
    bring(file, own, payload_recipe(file, format_.formats[file.format], own), payload, poll);
  }

  void assign(RowRange rows, base::AlignedBuffer& assignment, const Poll& poll) {
    const auto& file = file_of(rows);
    const RowRange own = in_dataset(file, rows);
    bring(file, own, assignment_recipe(file, format_.formats[file.format], own), assignment, poll);
  }

  [[nodiscard]] std::vector<FileIdentity> identities() const {
    std::vector<FileIdentity> identities;
    for (const auto* file : byte_files_) {
      identities.push_back(identity_of(*file));
      // Ranks may have other working directories.
      identities.back().path = std::filesystem::absolute(file->path).lexically_normal().string();
    }
    return identities;
  }

  void check_unchanged() const {
    for (const auto& file : files_)
      if (file.sparse) check_same(*file.sparse->matrix, stat_file(file.sparse->matrix->path));
    for (const auto* file : byte_files_) check_same(*file, stat_file(file->path));
  }

  [[nodiscard]] u64 rows() const { return rows_; }
  [[nodiscard]] u64 bytes_read() const { return reader_.bytes_read() + served_bytes_; }
  [[nodiscard]] const std::vector<FileRecord>& records() const { return records_; }
  [[nodiscard]] const SourceTable& table() const { return table_; }
  [[nodiscard]] const RowFormat& format() const {
    if (format_.formats.empty()) throw Error(ExitCode::internal, "an input is used before it is bound");
    return format_;
  }

 private:
  void map_file(InputFile& file, const std::vector<u64>& needed) {
    if (file.sparse) open_matrix(name_node_, table_, needed, file);
    const auto& arrays = format_.formats[file.format].arrays;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      if (arrays[i].access != Access::chunked) continue;
      map_array(name_node_, file, arrays[i], file.rows_of(i), file.arrays[i]);
      if (table_.kind == TableKind::array && i == 0)
        file.arrays[i].needed = needed_chunks(*file.arrays[i].grid, needed);
    }
  }

  // The files that assignments refer to, in the order in which they are first needed.
  void number_files(InputFile& file) {
    if (file.record.rows == 0) return;
    for (auto& array : file.arrays) {
      if (array.bytes->ours_alone) continue;
      const auto [found, added] = file_numbers_.try_emplace(array.bytes->path, base::narrow<u32>(byte_files_.size()));
      if (added) byte_files_.push_back(array.bytes.get());
      array.file = found->second;
    }
  }

  [[nodiscard]] static RowRange in_dataset(const InputFile& file, RowRange rows) {
    const u64 shift = file.record.dataset_row - file.record.first_row;
    return {rows.begin + shift, rows.end + shift};
  }

  // Makes what a recipe says, of rows `rows` of the table of `file`.
  void bring(const InputFile& file, RowRange rows, const Recipe& recipe, base::AlignedBuffer& buffer,
             const Poll& poll) {
    buffer.resize(recipe.bytes);
    std::memcpy(buffer.data(), recipe.head.data(), recipe.head.size());
    std::map<const ByteFile*, std::vector<ByteRange>> by_file;
    for (const auto& piece : recipe.pieces) {
      const auto& source = file.arrays[piece.array];
      if (format_.formats[file.format].arrays[piece.array].access == Access::served)
        serve(file, source, file.rows_of(piece.array, rows), {buffer.data() + piece.offset, piece.size}, poll);
      else
        by_file[source.bytes.get()].push_back({piece.address, piece.size, piece.offset});
    }
    for (auto& [bytes, ranges] : by_file) reader_.read(*bytes, ranges, buffer.data(), poll);
  }

  void serve(const InputFile& file, const ArraySource& source, RowRange rows, std::span<std::byte> out,
             const Poll& poll) {
    const ReadRequest request{source.facts, rows};
    const auto bytes = name_node_.call("storage.read", base::to_bytes(request), file.record.path, poll);
    if (bytes.size() != out.size())
      throw Error(ExitCode::internal, file.record.path + ": the name node served another number of bytes");
    std::copy(bytes.begin(), bytes.end(), out.begin());
    served_bytes_ += bytes.size();
  }

  [[nodiscard]] static double stored_bytes_per_row(RowRange rows, const ArrayFormat& format,
                                                   const ArraySource& source) {
    const u64 extent = source.facts.shape[0];
    const ChunkGrid& grid = *source.grid;
    const RowRange chunk_rows = grid.chunk_rows(rows);
    if (chunk_rows.empty()) return 0;
    const u64 covered = std::min(chunk_rows.end * grid.chunk[0], extent) - chunk_rows.begin * grid.chunk[0];
    double stored = 0;
    for (std::size_t i = 0; i < source.map.size.size(); ++i)
      if (source.needed.empty() || source.needed[i % grid.per_row]) stored += static_cast<double>(source.map.size[i]);
    // Of unfiltered chunks only the rows wanted are read, never the padding of the last ones.
    const u64 in_chunks = chunk_rows.size() * grid.chunk[0];
    return stored / static_cast<double>(format.filters.empty() ? in_chunks : covered);
  }

  [[nodiscard]] const InputFile& file_of(RowRange rows) const {
    if (format_.formats.empty()) throw Error(ExitCode::internal, "an input is used before it is bound");
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
  SourceTable table_;
  RowFormat format_;
  u64 rows_ = 0;
  std::vector<const ByteFile*> byte_files_;  // that assignments refer to
  std::map<std::string, u32> file_numbers_;  // their places, by path
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
const SourceTable& Input::table() const {
  return impl_->table();
}
void Input::bind(std::vector<Binding> bindings, Treatment treatment) {
  impl_->bind(std::move(bindings), std::move(treatment));
}
const RowFormat& Input::format() const {
  return impl_->format();
}
std::vector<RowSpan> Input::spans() const {
  return impl_->spans();
}
u64 Input::payload_bound(RowRange rows) const {
  return impl_->payload_bound(rows);
}
u64 Input::decoded_bytes(RowRange rows) const {
  return impl_->decoded_bytes(rows);
}
void Input::fetch(RowRange rows, base::AlignedBuffer& payload, const Poll& poll) {
  impl_->fetch(rows, payload, poll);
}
std::vector<FileIdentity> Input::identities() const {
  return impl_->identities();
}
u64 Input::assignment_bound(RowRange rows) const {
  return impl_->assignment_bound(rows);
}
void Input::assign(RowRange rows, base::AlignedBuffer& assignment, const Poll& poll) {
  impl_->assign(rows, assignment, poll);
}
void Input::check_unchanged() const {
  impl_->check_unchanged();
}
u64 Input::bytes_read() const {
  return impl_->bytes_read();
}

}  // namespace h5score::storage

// Many files as one row space: what must agree, and what may differ.
#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "input_files.hpp"
#include "name_node_calls.hpp"
#include "reading.hpp"
#include "selection.hpp"

#include <algorithm>
#include <map>

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

InputFile open_file(h5::Sandbox& name_node, const std::string& path, const InputOptions& options, ByteFiles& known,
                    FileFormat& format) {
  // Before the library reads it: a change from now on is noticed.
  const auto bytes = byte_file(known, path);
  const DescribeRequest request{path, options.dataset, options.passthrough};
  auto facts = base::from_bytes<FileFacts>(name_node.call("storage.describe", base::to_bytes(request), path));
  if (facts.arrays.size() != 1 + options.passthrough.size())
    throw Error(ExitCode::internal, path + ": the name node answers for another number of datasets");
  InputFile file;
  for (auto& array : facts.arrays) {
    const std::string why = refusal(array, file.arrays.empty() ? Role::features : Role::passthrough);
    if (!why.empty()) throw Error(ExitCode::data, path + ": '" + array.name + "' cannot be read", why);
    format.arrays.push_back(array_format(array));
    file.arrays.push_back({.facts = std::move(array), .bytes = {}, .map = {}, .first_chunk_row = 0, .needed = {}});
    file.arrays.back().bytes = byte_file(known, file.arrays.back().facts.file);
    check_extent(file.arrays.back(), format.arrays.back());
  }
  const auto& features = file.arrays.front().facts;
  file.dataset_rows = features.shape[0];
  file.record = {.path = path,
                 .dataset = features.name,
                 .rows = file.dataset_rows,
                 .size = bytes->size,
                 .mtime_ns = bytes->mtime_ns};
  return file;
}

void check_features(const InputFile& first, const InputFile& file, u64 expected, u64 found) {
  if (expected == found) return;
  throw Error(ExitCode::data, file.record.path + ": has " + std::to_string(found) + " features",
              first.record.path + " has " + std::to_string(expected));
}

// Fixed strings grow to the longest; everything else must agree but for the byte order.
void unite(PassthroughColumn& column, const InputFile& first, const InputFile& file, const ArrayFormat& array) {
  const bool text = column.type.kind == ElementKind::fixed_string && array.type.kind == ElementKind::fixed_string;
  const bool alike = text || (column.type.kind == array.type.kind && column.type.size == array.type.size);
  if (!alike || column.row_shape != array.row_shape)
    throw Error(ExitCode::data, file.record.path + ": passthrough column '" + column.name + "' differs between files",
                to_string(array.type) + " with " + std::to_string(array.row_elements()) + " elements per row, in " +
                    first.record.path + " " + to_string(column.type));
  if (!text) return;
  column.type.size = std::max(column.type.size, array.type.size);
  column.type.utf8 |= array.type.utf8;
  column.type.space_padded &= array.type.space_padded;
}

u32 index_of(std::vector<FileFormat>& formats, FileFormat&& format) {
  const auto found = std::find(formats.begin(), formats.end(), format);
  if (found != formats.end()) return base::narrow<u32>(found - formats.begin());
  formats.push_back(std::move(format));
  return base::narrow<u32>(formats.size() - 1);
}

}  // namespace

JoinedFiles join_files(h5::Sandbox& name_node, const InputOptions& options) {
  JoinedFiles joined;
  ByteFiles known;
  InputOptions resolved = options;
  for (const auto& path : expand_paths(options.inputs)) {
    FileFormat format;
    InputFile file = open_file(name_node, path, resolved, known, format);
    // What was found in the first file is meant in the others.
    if (resolved.dataset.empty()) resolved.dataset = file.record.dataset;
    const InputFile& first = joined.files.empty() ? file : joined.files.front();
    const u64 features = format.arrays.front().row_elements();
    if (joined.files.empty()) joined.format.stored_features = features;
    check_features(first, file, joined.format.stored_features, features);
    for (std::size_t i = 0; i < options.passthrough.size(); ++i) {
      const auto& array = format.arrays[i + 1];
      if (joined.files.empty())
        joined.format.passthrough.push_back({options.passthrough[i], array.type, array.row_shape});
      unite(joined.format.passthrough[i], first, file, array);
    }
    file.format = index_of(joined.format.formats, std::move(format));
    file.record.first_row = joined.rows;
    joined.rows = base::checked_add(joined.rows, file.dataset_rows);
    joined.files.push_back(std::move(file));
  }
  if (joined.files.empty()) throw Error(ExitCode::usage, "no input is given", "", "name a file with --input");
  joined.format.columns = parse_features(options.features, joined.format.stored_features);
  for (const auto& run : joined.format.columns) joined.format.features += run.count;
  return joined;
}

}  // namespace h5score::storage

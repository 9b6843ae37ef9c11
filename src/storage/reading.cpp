// The rules by which datasets are read, refused or offered.
#include "reading.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "codec.hpp"
#include "unpack.hpp"

#include <algorithm>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using h5::DatasetFacts;

constexpr u64 most_row_bytes = u64{1} << 32;
constexpr u64 most_file_bytes = u64{1} << 60;   // an EiB: no file system goes beyond 16
constexpr u64 most_columns = u64{1} << 22;      // as many as a model may have
constexpr u64 most_chunk_bytes = u64{1} << 32;  // HDF5's own limit

u64 element_bytes(const DatasetFacts& facts) {
  return facts.read_as ? facts.read_as->size : facts.record_bytes;
}

u64 row_bytes(const DatasetFacts& facts) {
  return base::checked_product(std::span(facts.shape).subspan(1), element_bytes(facts));
}

bool numeric(const DatasetFacts& facts) {
  return facts.read_as && facts.read_as->numeric();
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

// Each element of a field is a column with a name.
u64 columns_of_records(const DatasetFacts& facts) {
  u64 columns = 0;
  for (const auto& field : facts.fields) columns = base::checked_add(columns, base::checked_product(field.shape));
  return columns;
}

std::string records_refusal(const DatasetFacts& facts) {
  if (facts.record_bytes == 0 && facts.left_out.empty()) return "its elements are not records: " + facts.type_name;
  if (facts.shape.size() != 1) return "its records have more than one dimension";
  if (const u64 columns = columns_of_records(facts); columns > most_columns)
    return "its records have " + std::to_string(columns) + " columns, at most " + std::to_string(most_columns) +
           " are read";
  const bool numbers =
      std::any_of(facts.fields.begin(), facts.fields.end(), [](const h5::Field& f) { return f.type.numeric(); });
  if (numbers) return {};
  return "none of its fields can be read as a number" + (facts.left_out.empty() ? "" : ": " + joined(facts.left_out));
}

std::string type_refusal(const DatasetFacts& facts, Role role) {
  if (role == Role::records) return records_refusal(facts);
  if ((role == Role::features || role == Role::elements) && !numeric(facts))
    return "its elements are not numbers: " + facts.type_name;
  if (!facts.read_as && !facts.variable_string) return "its type is not supported: " + facts.type_name;
  return {};
}

std::string shape_refusal(const DatasetFacts& facts) {
  if (facts.null) return "it is empty (no dataspace)";
  if (facts.shape.empty()) return "it is a scalar";
  if (facts.shape[0] == 0) return "it has 0 rows";
  for (std::size_t axis = 1; axis < facts.shape.size(); ++axis)
    if (facts.shape[axis] == 0) return "axis " + std::to_string(axis) + " has length 0";
  return {};
}

[[noreturn]] void contradict(const DatasetFacts& facts, const std::string& why) {
  throw Error(ExitCode::data, facts.file + ": " + facts.name + ": the file is damaged", why);
}

void check_chunks(const DatasetFacts& facts) {
  if (facts.chunk.size() != facts.shape.size()) contradict(facts, "the chunk rank is not the dataset's");
  u64 bytes = element_bytes(facts);
  for (const u64 extent : facts.chunk) {
    if (extent == 0) contradict(facts, "a chunk has an extent of 0");
    bytes = base::checked_mul(bytes, extent);
    if (bytes > most_chunk_bytes) contradict(facts, "a chunk is larger than 4 GiB");
  }
  if (facts.filters.size() > 32) contradict(facts, "there are more than 32 filters");
}

}  // namespace

std::string refusal(const DatasetFacts& facts, Role role) {
  const bool none = role == Role::elements && facts.shape == std::vector<u64>{0};
  if (auto why = shape_refusal(facts); !none && !why.empty()) return why;
  if (auto why = type_refusal(facts, role); !why.empty()) return why;
  const bool decoded_here = access_of(facts) == Access::chunked && Codec::handles(facts.filters);
  if (!facts.missing.empty() && !decoded_here) return "this machine's HDF5 lacks the filter " + joined(facts.missing);
  if (element_bytes(facts) > h5::most_element_bytes) return "an element is larger than 64 MiB";
  if (element_bytes(facts) != 0 && row_bytes(facts) > most_row_bytes) return "a row is larger than 4 GiB";
  if (element_bytes(facts) != 0 && facts.shape[0] > most_file_bytes / row_bytes(facts))
    return "it is larger than any file can be";
  return {};
}

Access access_of(const DatasetFacts& facts) {
  if (!facts.type && !facts.raw_records) return Access::served;
  // HDF5's pipeline in memory would need the records' type.
  if (facts.raw_records && !Codec::handles(facts.filters)) return Access::served;
  if (facts.layout == h5::Layout::contiguous) return Access::contiguous;
  if (facts.layout == h5::Layout::chunked) return Access::chunked;
  return Access::served;
}

std::string reading_text(const DatasetFacts& facts) {
  const std::string meaning = facts.packing && facts.type ? "; " + packing_text(*facts.packing, *facts.type) : "";
  switch (access_of(facts)) {
    case Access::contiguous:
      return "in place" + meaning;
    case Access::chunked: {
      std::vector<std::string> names;
      for (const auto& filter : facts.filters) names.push_back(filter.name);
      return "by its chunks" + (names.empty() ? std::string() : ": " + joined(names)) + meaning;
    }
    case Access::served:
      break;
  }
  const bool layout = facts.layout != h5::Layout::contiguous && facts.layout != h5::Layout::chunked;
  return "by the name node: " + (layout ? std::string(to_string(facts.layout)) + " layout" : facts.type_name) + meaning;
}

ArrayFormat array_format(const DatasetFacts& facts) {
  ArrayFormat format;
  format.dataset = facts.name;
  if (facts.read_as) format.type = *facts.read_as;
  if (!facts.read_as) format.record_bytes = facts.record_bytes;
  format.access = access_of(facts);
  format.row_shape.assign(facts.shape.begin() + 1, facts.shape.end());
  if (format.element_bytes() == 0) contradict(facts, "its elements have no bytes");
  if (facts.packing) {
    for (const auto& missing : facts.packing->missing)
      if (missing.size() != format.type.size) contradict(facts, "a missing value has another size than an element");
    format.packing = facts.packing;
  }
  if (format.access == Access::served) return format;
  format.fill = facts.fill;
  if (format.fill.size() != format.element_bytes())
    contradict(facts, "the fill value has another size than an element");
  if (format.access != Access::chunked) return format;
  check_chunks(facts);
  format.chunk = facts.chunk;
  format.filters = facts.filters;
  return format;
}

std::string shape_text(const DatasetFacts& facts) {
  if (facts.null) return "empty " + facts.type_name;
  std::string text;
  for (const u64 extent : facts.shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "(" + text + (facts.shape.size() == 1 ? ",) " : ") ") + facts.type_name;
}

}  // namespace h5score::storage

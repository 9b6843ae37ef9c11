// The rules by which datasets are read, refused or offered.
#include "reading.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/narrow.hpp"

#include "codec.hpp"

#include <algorithm>
#include <functional>
#include <iterator>

namespace h5score::storage {
namespace {

using base::Error;
using base::ExitCode;
using h5::DatasetFacts;

constexpr u64 most_row_bytes = u64{1} << 32;
constexpr u64 most_chunk_bytes = u64{1} << 32;  // HDF5's own limit

u64 row_bytes(const DatasetFacts& facts) {
  return base::checked_product(std::span(facts.shape).subspan(1), facts.read_as->size);
}

bool numeric(const DatasetFacts& facts) {
  return facts.read_as && facts.read_as->numeric();
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string type_refusal(const DatasetFacts& facts, Role role) {
  if (role == Role::features && !numeric(facts)) return "its elements are not numbers: " + facts.type_name;
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
  u64 bytes = facts.type->size;
  for (const u64 extent : facts.chunk) {
    if (extent == 0) contradict(facts, "a chunk has an extent of 0");
    bytes = base::checked_mul(bytes, extent);
    if (bytes > most_chunk_bytes) contradict(facts, "a chunk is larger than 4 GiB");
  }
  if (facts.filters.size() > 32) contradict(facts, "there are more than 32 filters");
}

}  // namespace

std::string refusal(const DatasetFacts& facts, Role role) {
  if (auto why = shape_refusal(facts); !why.empty()) return why;
  if (auto why = type_refusal(facts, role); !why.empty()) return why;
  const bool decoded_here = access_of(facts) == Access::chunked && Codec::handles(facts.filters);
  if (!facts.missing.empty() && !decoded_here) return "this machine's HDF5 lacks the filter " + joined(facts.missing);
  if (facts.read_as && row_bytes(facts) > most_row_bytes) return "a row is larger than 4 GiB";
  return {};
}

Access access_of(const DatasetFacts& facts) {
  if (!facts.type) return Access::served;
  if (facts.layout == h5::Layout::contiguous) return Access::contiguous;
  if (facts.layout == h5::Layout::chunked) return Access::chunked;
  return Access::served;
}

std::string reading_text(const DatasetFacts& facts) {
  switch (access_of(facts)) {
    case Access::contiguous:
      return "in place";
    case Access::chunked: {
      std::vector<std::string> names;
      for (const auto& filter : facts.filters) names.push_back(filter.name);
      return "by its chunks" + (names.empty() ? std::string() : ": " + joined(names));
    }
    case Access::served:
      break;
  }
  const bool layout = facts.layout != h5::Layout::contiguous && facts.layout != h5::Layout::chunked;
  return "by the name node: " + (layout ? std::string(to_string(facts.layout)) + " layout" : facts.type_name);
}

ArrayFormat array_format(const DatasetFacts& facts) {
  ArrayFormat format;
  format.dataset = facts.name;
  format.type = *facts.read_as;
  format.access = access_of(facts);
  format.row_shape.assign(facts.shape.begin() + 1, facts.shape.end());
  if (format.type.size == 0) contradict(facts, "its elements have no bytes");
  if (format.access == Access::served) return format;
  format.fill = facts.fill;
  if (format.fill.size() != format.type.size) contradict(facts, "the fill value has another size than an element");
  if (format.access != Access::chunked) return format;
  check_chunks(facts);
  format.chunk = facts.chunk;
  format.filters = facts.filters;
  return format;
}

std::vector<DatasetFacts> candidates(const std::vector<DatasetFacts>& all) {
  std::vector<DatasetFacts> fitting;
  std::copy_if(all.begin(), all.end(), std::back_inserter(fitting),
               [](const auto& facts) { return shape_refusal(facts).empty() && numeric(facts); });
  const auto is_table = [](const DatasetFacts& facts) { return facts.shape.size() >= 2; };
  if (std::any_of(fitting.begin(), fitting.end(), is_table)) std::erase_if(fitting, std::not_fn(is_table));
  return fitting;
}

std::string shape_text(const DatasetFacts& facts) {
  if (facts.null) return "empty " + facts.type_name;
  std::string text;
  for (const u64 extent : facts.shape) text += (text.empty() ? "" : ", ") + std::to_string(extent);
  return "(" + text + (facts.shape.size() == 1 ? ",) " : ") ") + facts.type_name;
}

}  // namespace h5score::storage

// What a file holds and whether it can hold it: links, attribute names, storage bounds.
#include "h5score/base/inflated.hpp"
#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

#include <algorithm>

namespace h5score::h5 {
namespace {

using base::Error;
using base::ExitCode;
using base::u64;

// Nothing may be thrown through HDF5, which is C: a failure (memory) ends the iteration.
herr_t add_link(hid_t /*group*/, const char* name, const H5L_info_t* info, void* links) noexcept {
  try {
    const bool local = info->type == H5L_TYPE_HARD || info->type == H5L_TYPE_SOFT;
    static_cast<std::vector<Link>*>(links)->push_back({name, local});
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

herr_t add_attribute(hid_t /*object*/, const char* name, const H5A_info_t* /*info*/, void* names) noexcept {
  try {
    static_cast<std::vector<std::string>*>(names)->emplace_back(name);
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

void check_count(u64 count, u64 limit, const char* what) {
  if (count > limit)
    throw Error(ExitCode::data, std::string("there are more ") + what + " than allowed here",
                std::to_string(count) + ", at most " + std::to_string(limit));
}

// Bytes of the box `extents` of `dataset`'s elements.
u64 bytes_of(const Handle& dataset, const std::vector<u64>& extents) {
  const Handle type(H5Dget_type(dataset.get()), "a datatype cannot be read");
  return base::checked_product(extents, H5Tget_size(type.get()));
}

std::vector<u64> chunk_of(const Handle& properties, std::size_t rank) {
  std::vector<hsize_t> chunk(rank);
  check(H5Pget_chunk(properties.get(), base::narrow<int>(rank), chunk.data()), "a chunk shape cannot be read");
  return {chunk.begin(), chunk.end()};
}

}  // namespace

std::vector<Link> links_of(const Handle& group, u64 limit) {
  const std::string what = "a group cannot be listed";
  H5G_info_t info{};
  check(H5Gget_info(group.get(), &info), what);
  check_count(info.nlinks, limit, "links");
  std::vector<Link> links;
  check(H5Literate(group.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, add_link, &links), what);
  return links;
}

std::vector<std::string> attribute_names(const Handle& object, u64 limit) {
  const std::string what = "attributes cannot be listed";
  H5O_info_t info{};
  check(H5Oget_info2(object.get(), &info, H5O_INFO_NUM_ATTRS), what);
  check_count(info.num_attrs, limit, "attributes");
  std::vector<std::string> names;
  check(H5Aiterate2(object.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, add_attribute, &names), what);
  return names;
}

StoredKind stored_kind(const Handle& dataset) {
  const Handle type(H5Dget_type(dataset.get()), "a datatype cannot be read");
  switch (H5Tget_class(type.get())) {
    case H5T_INTEGER:
    case H5T_ENUM:
      return StoredKind::integer;
    case H5T_FLOAT:
      return StoredKind::floating;
    case H5T_STRING:
      return StoredKind::text;
    default:
      return StoredKind::other;
  }
}

bool is_float64(const Handle& dataset) {
  const Handle type(H5Dget_type(dataset.get()), "a datatype cannot be read");
  return H5Tget_class(type.get()) == H5T_FLOAT && H5Tget_size(type.get()) > 4;
}

void check_stored(const Handle& dataset, u64 file_bytes) {
  const Handle properties(H5Dget_create_plist(dataset.get()), "a dataset's properties cannot be read");
  const auto layout = H5Pget_layout(properties.get());
  if (layout == H5D_VIRTUAL || (layout == H5D_CONTIGUOUS && H5Pget_external_count(properties.get()) != 0))
    throw Error(ExitCode::data, "a dataset is stored outside its file",
                "virtual and external datasets are not read here");
  const std::vector<u64> shape = shape_of(dataset);
  u64 bytes = bytes_of(dataset, shape);
  u64 limit = file_bytes;
  if (layout == H5D_CHUNKED) {
    bytes = std::max(bytes, bytes_of(dataset, chunk_of(properties, shape.size())));
    limit = base::most_inflated(file_bytes);
  }
  if (bytes > limit)
    throw Error(ExitCode::data, "a dataset is larger than its file can hold",
                std::to_string(bytes) + " bytes in a file of " + std::to_string(file_bytes));
}

}  // namespace h5score::h5

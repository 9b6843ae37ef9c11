// CLASS, NAME and REFERENCE_LIST on scales; DIMENSION_LIST and DIMENSION_LABELS on the datasets that use them.
#include "dimension_scales.hpp"

#include "h5score/base/narrow.hpp"
#include "h5score/h5/io.hpp"

#include "score_layout.hpp"

#include <algorithm>
#include <cstdio>

namespace h5score::storage {
namespace {

using base::ExitCode;
using base::u64;
using h5::check;
using h5::Handle;

constexpr const char* what = "a dimension scale cannot be written";

void write_list(const Handle& object, const char* name, const Handle& file_type, const Handle& memory_type, u64 size,
                const void* values) {
  const hsize_t extent = size;
  const Handle space(H5Screate_simple(1, &extent, nullptr), what, ExitCode::cant_create);
  const Handle attribute(H5Acreate2(object.get(), name, file_type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), what,
                         ExitCode::cant_create);
  check(H5Awrite(attribute.get(), memory_type.get(), values), what, ExitCode::cant_create);
}

// The specification asks for null-terminated fixed-length ASCII.
void write_text(const Handle& object, const char* name, const std::string& text) {
  const Handle type(H5Tcopy(H5T_C_S1), what, ExitCode::internal);
  check(H5Tset_size(type.get(), text.size() + 1), what, ExitCode::internal);
  const Handle space(H5Screate(H5S_SCALAR), what, ExitCode::internal);
  const Handle attribute(H5Acreate2(object.get(), name, type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), what,
                         ExitCode::cant_create);
  check(H5Awrite(attribute.get(), type.get(), text.c_str()), what, ExitCode::cant_create);
}

std::string last_name(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);
}

struct Reference {
  hobj_ref_t dataset;
  int axis;
};

Handle reference_type(hid_t integer, std::size_t size) {
  Handle type(H5Tcreate(H5T_COMPOUND, size), what, ExitCode::internal);
  check(H5Tinsert(type.get(), "dataset", offsetof(Reference, dataset), H5T_STD_REF_OBJ), what, ExitCode::internal);
  check(H5Tinsert(type.get(), "dimension", offsetof(Reference, axis), integer), what, ExitCode::internal);
  return type;
}

}  // namespace

std::string unnamed_axis(const std::vector<u64>& shape, std::size_t axis) {
  const auto before = std::count(shape.begin() + 1, shape.begin() + base::narrow<std::ptrdiff_t>(axis), shape[axis]);
  return "/dim_" + std::to_string(shape[axis]) + (before == 0 ? "" : "_" + std::to_string(before + 1));
}

hobj_ref_t DimensionScales::reference(const std::string& path) const {
  hobj_ref_t result{};
  check(H5Rcreate(&result, file_.get(), path.c_str(), H5R_OBJECT, -1), what, ExitCode::internal);
  return result;
}

void DimensionScales::mark(const Handle& scale, const std::string& name) const {
  write_text(scale, "CLASS", "DIMENSION_SCALE");
  write_text(scale, "NAME", name);
}

void DimensionScales::labels(const std::string& path) {
  const Handle dataset = h5::open_dataset(file_, path);
  sizes_[path] = h5::shape_of(dataset).at(0);
  mark(dataset, last_name(path));
}

void DimensionScales::name_only(const std::string& path, u64 size) {
  if (const auto known = sizes_.find(path); known != sizes_.end()) {
    if (known->second == size) return;
    throw base::Error(ExitCode::internal, "the dimension " + path + " has two sizes",
                      std::to_string(known->second) + " and " + std::to_string(size));
  }
  sizes_[path] = size;
  const hsize_t extent = size;
  const Handle space(H5Screate_simple(1, &extent, nullptr), what, ExitCode::internal);
  const Handle links(H5Pcreate(H5P_LINK_CREATE), what, ExitCode::internal);
  check(H5Pset_create_intermediate_group(links.get(), 1), what, ExitCode::internal);
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), what, ExitCode::internal);
  check(H5Pset_obj_track_times(creation.get(), 0), what, ExitCode::internal);
  const Handle scale(
      H5Dcreate2(file_.get(), path.c_str(), H5T_IEEE_F32BE, space.get(), links.get(), creation.get(), H5P_DEFAULT),
      what, ExitCode::cant_create);
  // The words by which netCDF-4 knows that there is a size but no variable; the number is padded to ten places.
  char name[80];
  std::snprintf(name, sizeof name, "This is a netCDF dimension but not a netCDF variable.%10llu",
                static_cast<unsigned long long>(size));
  mark(scale, name);
}

void DimensionScales::attach(const std::string& path, const std::vector<std::string>& scales) {
  axes_[path] = scales;
}

void DimensionScales::write_axes(const std::string& path, const std::vector<std::string>& scales) const {
  std::vector<hobj_ref_t> references(scales.size());
  std::vector<hvl_t> lists(scales.size(), hvl_t{0, nullptr});
  std::vector<std::string> names;
  for (std::size_t axis = 0; axis < scales.size(); ++axis) {
    names.push_back(last_name(scales[axis]));
    if (scales[axis].empty()) continue;
    references[axis] = reference(scales[axis]);
    lists[axis] = {1, &references[axis]};
  }
  const Handle dataset = h5::open_dataset(file_, path);
  const Handle list_type(H5Tvlen_create(H5T_STD_REF_OBJ), what, ExitCode::internal);
  write_list(dataset, "DIMENSION_LIST", list_type, list_type, lists.size(), lists.data());
  const Handle name_type(H5Tcopy(H5T_C_S1), what, ExitCode::internal);
  check(H5Tset_size(name_type.get(), H5T_VARIABLE), what, ExitCode::internal);
  std::vector<const char*> texts;
  for (const auto& name : names) texts.push_back(name.c_str());
  write_list(dataset, "DIMENSION_LABELS", name_type, name_type, texts.size(), texts.data());
}

void DimensionScales::write_uses(const std::string& scale, const std::vector<Use>& uses) const {
  std::vector<Reference> references;
  for (const Use& use : uses) references.push_back({reference(use.dataset), use.axis});
  const Handle file_type = reference_type(H5T_STD_I32LE, offsetof(Reference, axis) + 4);
  const Handle memory_type = reference_type(H5T_NATIVE_INT, sizeof(Reference));
  write_list(h5::open_dataset(file_, scale), "REFERENCE_LIST", file_type, memory_type, references.size(),
             references.data());
}

void DimensionScales::write() const {
  std::map<std::string, std::vector<Use>> uses;
  for (const auto& [path, scales] : axes_) {
    write_axes(path, scales);
    for (std::size_t axis = 0; axis < scales.size(); ++axis)
      if (!scales[axis].empty()) uses[scales[axis]].push_back({path, base::narrow<int>(axis)});
  }
  for (const auto& [scale, users] : uses) write_uses(scale, users);
}

}  // namespace h5score::storage

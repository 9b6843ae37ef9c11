// HDF5 dimension scales (which dataset names and labels the axes of which), as attributes, after "HDF5 Dimension Scale
// Specification and Design Notes" of The HDF Group. Written here because the high-level library that does it is missing
// from many builds of HDF5 (Spack's default, for one), and it is a page.
#pragma once

#include "h5score/base/types.hpp"
#include "h5score/h5/handle.hpp"

#include <map>
#include <string>
#include <vector>

namespace h5score::storage {

/// Path of the scale for axis `axis` of a dataset of this shape, where nothing names it: "/dim_3" for an extent of 3;
/// "/dim_3_2" for the second axis of the dataset with that extent, because readers want the axes of a dataset to
/// differ.
std::string unnamed_axis(const std::vector<base::u64>& shape, std::size_t axis);

/// Collects which axis has which scale, then writes all attributes at once.
class DimensionScales {
 public:
  explicit DimensionScales(const h5::Handle& file) : file_(file) {}

  /// Makes the dataset at `path` a scale that holds its labels.
  void labels(const std::string& path);
  /// Creates a scale of this size that only names an axis; it stores no values and takes no space. A second call with
  /// the same size is harmless; with another size Error(internal).
  void name_only(const std::string& path, base::u64 size);
  /// The scales of the axes of the dataset at `path`; an empty string leaves that axis without one.
  void attach(const std::string& path, const std::vector<std::string>& scales);
  void write() const;

 private:
  struct Use {
    std::string dataset;
    int axis = 0;
  };
  [[nodiscard]] hobj_ref_t reference(const std::string& path) const;
  void mark(const h5::Handle& scale, const std::string& name) const;
  void write_axes(const std::string& path, const std::vector<std::string>& scales) const;
  void write_uses(const std::string& scale, const std::vector<Use>& uses) const;
  const h5::Handle& file_;
  std::map<std::string, base::u64> sizes_;
  std::map<std::string, std::vector<std::string>> axes_;
};

}  // namespace h5score::storage

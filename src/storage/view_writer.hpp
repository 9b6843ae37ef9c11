// The HDF5 part of making a view; runs in the name node.
#pragma once

#include "h5score/storage/score_view.hpp"

namespace h5score::storage {

template <class A>
void archive(A& ar, FileRecord& v) {
  ar(v.path, v.dataset, v.first_row, v.rows, v.dataset_row, v.size, v.mtime_ns);
}
template <class A>
void archive(A& ar, ViewSpec& v) {
  ar(v.path, v.scores, v.rows, v.kind, v.files, v.columns, v.tables);
}

/// Writes the view `spec` to `path` (in the same folder as spec.path), replacing what is there. Returns notes.
std::vector<std::string> write_view_file(const std::string& path, const ViewSpec& spec);

}  // namespace h5score::storage

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

struct View {
  base::Bytes file;  ///< the HDF5 file's bytes
  std::vector<std::string> notes;
};
template <class A>
void archive(A& ar, View& v) {
  ar(v.file, v.notes);
}

/// Makes the view for spec.path. Throws Error.
View make_view(const ViewSpec& spec);

}  // namespace h5score::storage

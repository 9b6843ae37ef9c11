// A view: an HDF5 file of virtual datasets that shows the inputs' columns beside the scores of their rows, without
// copying either.
#pragma once

#include "h5score/h5/sandbox.hpp"
#include "h5score/storage/binding.hpp"
#include "h5score/storage/input.hpp"
#include "h5score/storage/score_description.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

struct ViewSpec {
  std::string path;    ///< of the view
  std::string scores;  ///< the finished score file
  u64 rows = 0;        ///< of the score file
  TableKind kind = TableKind::array;
  std::vector<FileRecord> files;     ///< the inputs
  std::vector<ScoreColumn> columns;  ///< of the score file
  std::vector<std::string> tables;   ///< paths of its label tables
};

/// Throws Error(cant_create) unless the view can be made: the folder takes files, and nothing stands in its place that
/// may not be replaced. Makes and removes a temporary file.
void check_view(const std::string& path, bool overwrite);

/// Writes the view: the scores under their names, the inputs' columns under theirs (one more `_` where a score has the
/// name). Sources are named relative to the view's folder where they share more than the root folder, so that a folder
/// that holds all of them can be moved. Columns of sparse matrices cannot be shown: there are external links in
/// /input_files instead. The file appears under its name when it is complete. Returns what a person should know, one
/// sentence each. `name_node` must serve view_functions(). Throws Error(cant_create).
std::vector<std::string> write_view(h5::Sandbox& name_node, const ViewSpec& spec, bool overwrite);

/// To be given to the Sandbox.
std::map<std::string, h5::Sandbox::Function> view_functions();

}  // namespace h5score::storage

// The requests of reading inputs, as both processes see them.
#pragma once

#include "h5score/base/archive.hpp"
#include "h5score/h5/dataset.hpp"

#include <string>
#include <vector>

namespace h5score::storage {

/// "storage.describe": the features' dataset and the passthrough columns of one file -> FileFacts.
struct DescribeRequest {
  std::string path;
  std::string dataset;  ///< empty: the only one that fits
  std::vector<std::string> passthrough;
};
struct FileFacts {
  std::vector<h5::DatasetFacts> arrays;  ///< features first
};
/// "storage.map": chunk rows [first, first + count) -> h5::ChunkMap.
struct MapRequest {
  h5::DatasetFacts facts;
  u64 first = 0;
  u64 count = 0;
};
/// "storage.read": rows as facts.read_as -> their bytes.
struct ReadRequest {
  h5::DatasetFacts facts;
  base::RowRange rows;
};
// "storage.list": a path (archived string) -> std::vector<h5::DatasetFacts>, all datasets of the file.

template <class A>
void archive(A& ar, DescribeRequest& v) {
  ar(v.path, v.dataset, v.passthrough);
}
template <class A>
void archive(A& ar, FileFacts& v) {
  ar(v.arrays);
}
template <class A>
void archive(A& ar, MapRequest& v) {
  ar(v.facts, v.first, v.count);
}
template <class A>
void archive(A& ar, ReadRequest& v) {
  ar(v.facts, v.rows.begin, v.rows.end);
}

}  // namespace h5score::storage

// What a rank needs to make a block's payload itself: the payload's header, where its segments lie in files, and behind
// it the segments that only the root can get, each at a multiple of 64 bytes from the assignment's beginning.
#pragma once

#include "payload.hpp"

namespace h5score::storage {

/// Where one array's segments are: in a file, or in the assignment.
struct AssignedArray {
  static constexpr u32 enclosed = ~u32{0};
  u32 file = enclosed;         ///< index into Input::identities()
  std::vector<u64> addresses;  ///< of each segment; enclosed: from the assignment's beginning
};

struct Assignment {
  PayloadHeader header;
  std::vector<AssignedArray> arrays;
};

template <class A>
void archive(A& ar, AssignedArray& v) {
  ar(v.file, v.addresses);
}
template <class A>
void archive(A& ar, Assignment& v) {
  ar(v.header, v.arrays);
}

}  // namespace h5score::storage

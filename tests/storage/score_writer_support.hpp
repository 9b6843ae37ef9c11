// What the tests of ScoreWriter share: the messages that ranks send to the root, and the root's part.
#pragma once

#include "storage/score_file_support.hpp"

#include <deque>

namespace h5score::storage::testing {

/// What a rank tells the root of a block that it has written.
struct Message {
  u64 block = 0;
  u64 number = 0;  ///< of the write
  u32 crc = 0;
  std::vector<u64> offsets;  ///< of the rests
  std::vector<std::string> rests;
};
template <class A>
void archive(A& ar, Message& v) {
  ar(v.block, v.number, v.crc, v.offsets, v.rests);
}

/// A rank's part.
inline Message write_block(ScoreWriter& writer, const ScoreFileSpec& spec, u64 block, const Poll& poll = {}) {
  const Bytes results = results_of(spec, block);
  std::vector<ScoreWriter::Rest> rests;
  Message message{.block = block, .number = 0, .crc = base::crc32(results), .offsets = {}, .rests = {}};
  message.number = writer.write({spec.boundaries[block], spec.boundaries[block + 1]}, results, rests, poll);
  for (const auto& rest : rests) {
    message.offsets.push_back(rest.offset);
    message.rests.emplace_back(reinterpret_cast<const char*>(rest.bytes.data()), rest.bytes.size());
  }
  return message;
}

inline void write_rests(ScoreFile& file, const Message& message) {
  for (std::size_t i = 0; i < message.rests.size(); ++i)
    file.write_rest(message.offsets[i], std::as_bytes(std::span(message.rests[i])));
}

/// The root's part, once the rank's writes are durable.
inline void book(ScoreFile& file, const Message& message) {
  write_rests(file, message);
  file.written(message.block, message.crc);
}

}  // namespace h5score::storage::testing

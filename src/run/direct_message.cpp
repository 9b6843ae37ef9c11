// The messages' bytes.
#include "direct_message.hpp"

#include "h5score/base/archive.hpp"
#include "h5score/base/error.hpp"

#include <unistd.h>

#include <algorithm>

namespace h5score::run {
namespace {

constexpr u64 least_page = 4096;  // what hosts never share, whatever the page of their memory

}  // namespace

DirectMessages::DirectMessages(const ResultLayout& layout, const FeatureStatistics& statistics,
                               const sched::BlockPlan& plan, storage::Ownership least)
    : layout_(layout), statistics_(statistics), plan_(plan), least_(least) {
  DirectOutcome full;
  full.write = 0;
  full.flags.first_missing = 0;
  fixed_bytes_ = base::to_bytes(full).size();
}

u64 DirectMessages::bytes(u64 block) const {
  const u64 results = plan_.range(block).size() * layout_.row_bytes;
  const u64 columns = layout_.slots.size();
  const u64 page = std::max(least_page, static_cast<u64>(std::max(sysconf(_SC_PAGESIZE), 0L)));
  constexpr u64 record = 2 * sizeof(u64);  // offset and count
  u64 rest = 0;
  if (least_ == storage::Ownership::pages) rest = columns * 2 * (record + page);
  if (least_ == storage::Ownership::none) rest = columns * record + results;
  return fixed_bytes_ + statistics_.bytes(block) + rest;
}

void DirectMessages::encode(const DirectOutcome& outcome, std::span<std::byte> message) {
  const auto bytes = base::to_bytes(outcome);
  if (bytes.size() > message.size())
    throw base::Error(base::ExitCode::internal, "what a rank tells of its block does not fit the message",
                      std::to_string(bytes.size()) + " bytes instead of " + std::to_string(message.size()));
  const auto end = std::copy(bytes.begin(), bytes.end(), message.begin());
  std::fill(end, message.end(), std::byte{});
}

DirectOutcome DirectMessages::decode(base::ByteView message) {
  DirectOutcome outcome;
  base::Reader reader(message);
  reader(outcome);
  return outcome;
}

}  // namespace h5score::run

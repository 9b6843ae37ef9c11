// Counting flags and adding up.
#include "tally.hpp"

#include <algorithm>
#include <cstring>

namespace h5score::run {
namespace {

const base::u8* status_of(const ResultLayout& layout, base::ByteView results, u64 slot, u64 rows) {
  return reinterpret_cast<const base::u8*>(results.data() + layout.offset(slot, rows));
}

bool is_status(const ResultSlot& slot) {
  return slot.model != ResultSlot::no_model && slot.kind == model::ResultKind::status;
}

}  // namespace

BlockFlags FlagCounter::count(base::ByteView results, u64 rows) {
  // Nearly all blocks have no flag: one vectorised pass.
  base::u8 any = 0;
  for (u64 i = 0; i < layout_.slots.size(); ++i) {
    if (!is_status(layout_.slots[i])) continue;
    const base::u8* const status = status_of(layout_, results, i, rows);
    for (u64 row = 0; row < rows; ++row) any = static_cast<base::u8>(any | status[row]);
  }
  BlockFlags block;
  if (any == 0) return block;

  flags_.assign(rows, 0);
  for (u64 i = 0; i < layout_.slots.size(); ++i) {
    if (!is_status(layout_.slots[i])) continue;
    const base::u8* const status = status_of(layout_, results, i, rows);
    for (u64 row = 0; row < rows; ++row) flags_[row] |= status[row];
  }
  for (u64 row = 0; row < rows; ++row) {
    if (flags_[row] == 0) continue;
    const bool missing = (flags_[row] & model::status_missing) != 0;
    if (missing && !block.first_missing) block.first_missing = row;
    ++block.rows.any;
    block.rows.missing += missing ? u64{1} : u64{0};
    block.rows.nonfinite += (flags_[row] & model::status_nonfinite) != 0 ? u64{1} : u64{0};
  }
  return block;
}

bool Tally::add(u64 block, const BlockFlags& flags, base::ByteView sums) {
  flagged_.any += flags.rows.any;
  flagged_.missing += flags.rows.missing;
  flagged_.nonfinite += flags.rows.nonfinite;
  if (missing_ != nullptr) {
    std::optional<u64> row;
    if (flags.first_missing) row = plan_.range(block).begin + *flags.first_missing;
    if (const auto first = first_missing_.add(block, row)) missing_->report(*first);
    if (row) return false;
  }
  if (!sums.empty()) {
    FeatureTree::Sums features(statistics_.all_features());
    std::memcpy(features.data(), sums.data(), feature_bytes(features.size()));
    features_.add(block / statistics_.sample.block_step, std::move(features));
  }
  return true;
}

}  // namespace h5score::run

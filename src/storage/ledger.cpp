// Ledger entries: bit 32 says that the block is written, bits 0-31 are the CRC-32 of its results, all others are 0.
#include "h5score/storage/score_description.hpp"

namespace h5score::storage {
namespace {
constexpr u64 valid_bit = u64{1} << 32U;
}

u64 ledger_entry(u32 crc) {
  return valid_bit | crc;
}
bool ledger_done(u64 entry) {
  return entry >> 32U == 1;
}
u32 ledger_crc(u64 entry) {
  return static_cast<u32>(entry & ~u32{0});
}

u64 ScoreDescription::blocks_done() const {
  u64 n = 0;
  for (const u64 entry : ledger) n += u64{ledger_done(entry)};
  return n;
}

u64 ScoreDescription::rows_done() const {
  u64 n = 0;
  for (u64 b = 0; b < blocks(); ++b) n += ledger_done(ledger[b]) ? boundaries[b + 1] - boundaries[b] : 0;
  return n;
}

}  // namespace h5score::storage

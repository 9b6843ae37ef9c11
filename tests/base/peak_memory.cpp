// Peak memory of this process.
#include "h5score/base/peak_memory.hpp"

#include "h5score/base/aligned_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>

using namespace h5score;

TEST(PeakMemory, GrowsByWhatIsTouched) {
  const base::u64 before = base::peak_memory_bytes();
  ASSERT_GT(before, 0U);
  const base::u64 size = before + (base::u64{64} << 20);
  base::AlignedBuffer buffer(size);
  std::fill_n(buffer.data(), size, std::byte{1});
  EXPECT_GE(base::peak_memory_bytes(), size);
  // The sanitizers' shadow memory may come to several times the buffer; a wrong unit is off by a thousand.
  EXPECT_LT(base::peak_memory_bytes(), before + 16 * size);
}

// HDF5 files made in memory: the same bytes as on a disk, no memory for room that is only allocated, as many at once as
// wanted.
#include "h5score/h5/memory_file.hpp"

#include "h5score/h5/io.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>

namespace h5score::h5 {
namespace {

using base::u64;

void allocate(const Handle& file, const char* name, u64 bytes) {
  const hsize_t extent = bytes;
  const Handle space(H5Screate_simple(1, &extent, nullptr), name);
  const Handle creation(H5Pcreate(H5P_DATASET_CREATE), name);
  check(H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_EARLY), name);
  check(H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER), name);
  check(H5Pset_obj_track_times(creation.get(), 0), name);
  const Handle dataset(
      H5Dcreate2(file.get(), name, H5T_STD_U8LE, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), name);
}

void fill(Handle file, u64 room) {
  std::vector<double> values(3000);
  std::iota(values.begin(), values.end(), 0.5);
  write_attribute(file, "what", std::string("a file"));
  write_doubles(file, "group/values", {30, 100}, values);
  allocate(file, "room", room);
  write_strings(file, "texts", {"one", "two", "three"});
  file.close("the file cannot be written");
}

std::string contents(const MemoryFile& memory) {
  std::string bytes(memory.size(), '\0');
  memory.each_stretch([&](u64 offset, base::ByteView stretch) {
    std::transform(stretch.begin(), stretch.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset),
                   [](std::byte b) { return static_cast<char>(b); });
  });
  return bytes;
}

TEST(MemoryFile, IsTheFileThatTheLibraryWritesToADisk) {
  const auto path = std::filesystem::temp_directory_path() / ("h5score-memory-" + std::to_string(::getpid()) + ".h5");
  fill(create_file(path.string()), 100'000);
  std::ifstream stream(path, std::ios::binary);
  const std::string expected(std::istreambuf_iterator<char>(stream), {});
  std::filesystem::remove(path);
  MemoryFile memory;
  fill(create_file(memory, lock_free_access()), 100'000);
  memory.check();
  EXPECT_EQ(memory.size(), expected.size());
  // Dataset headers hold the times at which they were made.
  const std::string found = contents(memory);
  u64 different = 0;
  for (std::size_t i = 0; i < std::min(found.size(), expected.size()); ++i) different += u64{found[i] != expected[i]};
  EXPECT_LE(different, 8U);
}

TEST(MemoryFile, TakesNoMemoryForRoomThatIsNotWritten) {
  constexpr u64 terabyte = u64{1} << 40;
  MemoryFile memory;
  fill(create_file(memory, lock_free_access()), terabyte);
  memory.check();
  EXPECT_GT(memory.size(), terabyte);
  u64 written = 0;
  memory.each_stretch([&](u64 /*offset*/, base::ByteView stretch) { written += stretch.size(); });
  EXPECT_LT(written, 200'000U);
}

TEST(MemoryFile, SeveralAreKeptApart) {
  MemoryFile one;
  MemoryFile other;
  Handle first = create_file(one, lock_free_access());
  fill(create_file(other, lock_free_access()), 10);
  write_doubles(first, "x", {1}, {1.0});
  first.close("the file cannot be written");
  EXPECT_LT(one.size(), other.size());
  const std::string bytes = contents(other);
  const Handle file = open_image(std::as_bytes(std::span(bytes)));
  EXPECT_EQ(read_doubles(open_dataset(file, "group/values"), 3000).at(2999), 2999.5);
  EXPECT_FALSE(exists(file, "x"));
}

}  // namespace
}  // namespace h5score::h5

// Bytes used where the page cache has them: the same as read() brings, and what happens when they are taken away.
#include "storage/mapped_reader.hpp"

#include "h5score/base/error.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

namespace h5score::storage {
namespace {

constexpr u64 page = 4096;
constexpr u64 mib = u64{1} << 20;

class Mapped : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("h5score-mapped-" + std::to_string(::getpid()));
  }
  void TearDown() override {
    if (fd_ >= 0) ::close(fd_);
    std::filesystem::remove(path_);
  }
  // Byte i is a mixture of i's digits, so that no two places look alike.
  static std::byte at(u64 i) { return static_cast<std::byte>(i ^ (i >> 8U) ^ (i >> 16U) * 31); }
  void write(u64 size) {
    std::vector<std::byte> bytes(size);
    for (u64 i = 0; i < size; ++i) bytes[i] = at(i);
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(size));
    file_ = stat_file(path_);
    fd_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd_, 0);
  }
  void expect_view(u64 address, u64 size) {
    const auto view = reader_.view(0, fd_, file_, address, size);
    ASSERT_TRUE(view.has_value()) << address << " + " << size;
    ASSERT_EQ(view->size(), size);
    u64 wrong = 0;
    for (u64 i = 0; i < size; ++i) wrong += (*view)[i] != at(address + i);
    EXPECT_EQ(wrong, 0U) << address << " + " << size;
  }
  [[nodiscard]] bool nothing(u64 address, u64 size) { return !reader_.view(0, fd_, file_, address, size).has_value(); }

  std::filesystem::path path_;
  int fd_ = -1;
  ByteFile file_;
  MappedReader reader_;
};

TEST_F(Mapped, HasTheBytesOfTheFile) {
  write(40 * mib + 100);
  ASSERT_TRUE(reader_.usable(0, fd_)) << "the folder of temporary files is on no local file system";
  for (const u64 address : {u64{0}, u64{1}, page - 1, 3 * mib + 17, 16 * mib - 1, 16 * mib, 16 * mib + 5, 30 * mib})
    expect_view(address, 2 * mib + 3);
  EXPECT_EQ(reader_.bytes_mapped(), 8 * (2 * mib + 3));
  reader_.check();
  reader_.release();
  expect_view(40 * mib - 50000, 50000);
}

TEST_F(Mapped, LeavesToReadingWhatItCannotDo) {
  write(20 * mib);
  EXPECT_TRUE(nothing(0, 100));                    // too few bytes to be worth it
  EXPECT_TRUE(nothing(0, 5 * mib));                // more than a window holds
  EXPECT_TRUE(nothing(20 * mib - 50000, 50000));   // vectors might look behind the file's last page
  EXPECT_TRUE(nothing(20 * mib - 50000, 50001));   // behind the end
  EXPECT_TRUE(nothing(~u64{0} - 10, 50000));       // far behind it
  EXPECT_FALSE(nothing(20 * mib - 50000, 49936));  // 64 bytes before the end
}

TEST_F(Mapped, MoreWindowsThanPlaces) {
  const u64 windows = 200;
  write(1);
  file_.size = windows * 16 * mib;  // sparse: only what is written below is there
  ASSERT_EQ(::ftruncate(fd_, static_cast<off_t>(file_.size)), 0);
  std::vector<char> mark(page * 3);
  for (u64 w = 0; w < windows; ++w) {
    std::fill(mark.begin(), mark.end(), static_cast<char>(w));
    ASSERT_EQ(::pwrite(fd_, mark.data(), mark.size(), static_cast<off_t>(w * 16 * mib + page)),
              static_cast<ssize_t>(mark.size()));
  }
  for (int round = 0; round < 2; ++round)
    for (u64 w = 0; w < windows; ++w) {
      const auto view = reader_.view(0, fd_, file_, w * 16 * mib + page, 3 * page);
      ASSERT_TRUE(view.has_value()) << w;
      EXPECT_EQ(view->front(), static_cast<std::byte>(w));
      EXPECT_EQ(view->back(), static_cast<std::byte>(w));
      if (w % 100 == 99) reader_.release();
    }
}

TEST_F(Mapped, AViewStaysUntilItIsReleased) {
  write(20 * mib);
  const auto view = reader_.view(0, fd_, file_, 100, mib);
  ASSERT_TRUE(view.has_value());
  for (u64 i = 0; i < 127; ++i) ASSERT_FALSE(nothing(i * page, 2 * page));
  EXPECT_TRUE(nothing(0, 2 * page));  // no place is left
  EXPECT_EQ((*view)[mib - 1], at(100 + mib - 1));
  reader_.release();
  EXPECT_FALSE(nothing(0, 2 * page));
}

TEST_F(Mapped, PagesThatAreTakenAwayAreTold) {
  write(20 * mib);
  const auto view = reader_.view(0, fd_, file_, 0, mib);
  ASSERT_TRUE(view.has_value());
  ASSERT_EQ(::ftruncate(fd_, page), 0);
  reader_.check();  // nobody has looked yet
  EXPECT_EQ((*view)[0], at(0));
  EXPECT_EQ((*view)[mib - 1], std::byte{0});
  try {
    reader_.check();
    FAIL() << "a lost page was not told";
  } catch (const base::Error& error) {
    EXPECT_EQ(error.code(), base::ExitCode::io);
    EXPECT_THAT(error.what(), ::testing::HasSubstr(path_.string() + ": reading failed"));
  }
}

TEST_F(Mapped, BytesThatAreGoneAreLeftToReading) {
  write(20 * mib);
  ASSERT_EQ(::ftruncate(fd_, 0), 0);  // file_ still has the old size
  EXPECT_TRUE(nothing(0, mib));
  reader_.check();
}

TEST_F(Mapped, OtherAddressesStillEndTheProcess) {
  write(20 * mib);
  ASSERT_FALSE(nothing(0, mib));  // our handler is installed
  void* const other = ::mmap(nullptr, page, PROT_READ, MAP_SHARED, fd_, 0);
  ASSERT_NE(other, MAP_FAILED);
  ASSERT_EQ(::ftruncate(fd_, 0), 0);
  const auto look = [&] { return *static_cast<volatile const char*>(other); };
#ifdef __SANITIZE_ADDRESS__
  EXPECT_DEATH(look(), "BUS");  // its own handler came before ours
#else
  EXPECT_EXIT(look(), ::testing::KilledBySignal(SIGBUS), "");
#endif
  ::munmap(other, page);
}

}  // namespace
}  // namespace h5score::storage

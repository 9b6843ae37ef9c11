// Files that appear complete or not at all.
#include "h5score/base/pending_file.hpp"

#include "h5score/base/error.hpp"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

namespace h5score::base {
namespace {

using ::testing::HasSubstr;

class PendingFileTest : public ::testing::Test {
 protected:
  PendingFileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "h5score-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/report.json";
  }
  ~PendingFileTest() override { std::filesystem::remove_all(folder_); }

  static void write(const std::string& path, const std::string& text) {
    write_file_atomically(path, std::as_bytes(std::span(text)));
  }
  [[nodiscard]] std::string contents() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  std::string folder_;
  std::string path_;
};

TEST_F(PendingFileTest, ReplacesAWholeFile) {
  write(path_, "old and longer");
  std::ifstream reader(path_);
  write(path_, "new");
  EXPECT_EQ(contents(), "new");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(reader), {}), "old and longer");
  EXPECT_EQ(files(), 1U);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0666U & ~mask);
}

TEST_F(PendingFileTest, WritersOfOneNameDoNotMeet) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([this, i] {
      const std::string text(10'000, static_cast<char>('a' + i));
      for (int repeat = 0; repeat < 20; ++repeat) write(path_, text);
    });
  for (auto& thread : threads) thread.join();
  const std::string text = contents();
  ASSERT_EQ(text.size(), 10'000U);
  EXPECT_EQ(text, std::string(10'000, text[0]));
  EXPECT_EQ(files(), 1U);
}

TEST_F(PendingFileTest, AFailedWriteLeavesTheOldFile) {
  write(path_, "old");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{1000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  try {
    write(path_, std::string(2000, 'x'));
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::io);
    EXPECT_THAT(error.what(), HasSubstr(path_ + ": cannot be written (File too large)"));
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(contents(), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(PendingFileTest, RefusesWhereNoFileCanBe) {
  for (const std::string& path : {folder_ + "/none/report.json", folder_, std::string("/dev/null")}) {
    try {
      write(path, "x");
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::cant_create);
      EXPECT_THAT(error.what(), HasSubstr(path + ": cannot be created"));
    }
  }
  EXPECT_EQ(files(), 0U);
}

}  // namespace
}  // namespace h5score::base

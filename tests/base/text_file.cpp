// Small text files: whole, and what is none.
#include "h5score/base/text_file.hpp"

#include "h5score/base/error.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace h5score::base {
namespace {

using testing::HasSubstr;

class TextFile : public ::testing::Test {
 protected:
  ~TextFile() override { std::filesystem::remove(path_); }

  std::string read(const std::string& content, u64 most_bytes) {
    std::ofstream(path_, std::ios::binary) << content;
    return read_text_file(path_, most_bytes);
  }
  static std::string refusal(const std::string& path, ExitCode code) {
    try {
      read_text_file(path, u64{1} << 20, "try another");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code);
      return error.what();
    }
    return "read";
  }

  const std::string path_ =
      (std::filesystem::temp_directory_path() / ("h5score_text_" + std::to_string(::getpid()))).string();
};

TEST_F(TextFile, IsReadWhole) {
  EXPECT_EQ(read("", 10), "");
  EXPECT_EQ(read("a\r\nb", 4), "a\r\nb");
  const std::string longer(200'000, 'x');
  EXPECT_EQ(read(longer, longer.size()), longer);
}

TEST_F(TextFile, LongerOnesAndOnesThatAreNoTextAreRefused) {
  EXPECT_THROW(read("abcde", 4), Error);
  EXPECT_THROW(read(std::string("a\0b", 3), 10), Error);
}

TEST_F(TextFile, FilesWithoutAnEndAreNotReadToTheirEnd) {
  EXPECT_THAT(refusal("/dev/zero", ExitCode::data),
              HasSubstr("/dev/zero: not a text file (it has zero bytes, or more than 1 MiB); try another"));
  EXPECT_THAT(refusal("/dev/urandom", ExitCode::data), HasSubstr("/dev/urandom: not a text file"));
}

TEST_F(TextFile, UnreadableOnesAreTold) {
  EXPECT_THAT(refusal("/no/such", ExitCode::no_input), HasSubstr("/no/such: cannot be read (No such file"));
  EXPECT_THAT(refusal("/", ExitCode::no_input), HasSubstr("/: cannot be read (Is a directory)"));
}

}  // namespace
}  // namespace h5score::base

// Lists of names: what is a name, and which files are none.
#include "h5score/base/name_list.hpp"

#include "h5score/base/error.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace h5score::base {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string path() {
  return (std::filesystem::temp_directory_path() / ("h5score_names_" + std::to_string(::getpid()))).string();
}
std::vector<std::string> read(const std::string& content) {
  std::ofstream(path(), std::ios::binary) << content;
  const auto remove = [](std::string* file) { std::filesystem::remove(*file); };
  std::string file = path();
  const std::unique_ptr<std::string, decltype(remove)> cleaner(&file, remove);
  return read_name_list(file);
}
std::string refusal(const std::string& content) {
  try {
    read(content);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    return error.what();
  }
  return "read";
}

TEST(NameList, OneNamePerLineWithoutBlanksAround) {
  EXPECT_THAT(read("mag_u\r\n mag g\t\n\xc3\xa9"), ElementsAre("mag_u", "mag g", "\xc3\xa9"));
  EXPECT_THAT(read("a\nb\n\n \n"), ElementsAre("a", "b"));
  EXPECT_THAT(read("\xef\xbb\xbfu\ng\n"), ElementsAre("u", "g"));  // a byte order mark is none of the name
}

TEST(NameList, WhatIsNoListIsRefused) {
  EXPECT_THAT(refusal("a\n\nb\n"), HasSubstr("line 2 is empty"));
  EXPECT_THAT(refusal(" \n"), HasSubstr("holds no names"));
  EXPECT_THAT(refusal(std::string("a\0b", 3)), HasSubstr("not a text file"));
  EXPECT_THROW(read_name_list("/nowhere/names.txt"), Error);
}

}  // namespace
}  // namespace h5score::base

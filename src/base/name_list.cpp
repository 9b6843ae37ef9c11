// Reading of lists of names.
#include "h5score/base/name_list.hpp"

#include "h5score/base/error.hpp"

#include <cerrno>
#include <fstream>
#include <string_view>

namespace h5score::base {
namespace {

std::string trimmed(const std::string& line) {
  constexpr const char* blanks = " \t\r";
  const auto begin = line.find_first_not_of(blanks);
  return begin == std::string::npos ? std::string() : line.substr(begin, line.find_last_not_of(blanks) + 1 - begin);
}

}  // namespace

std::vector<std::string> read_name_list(const std::string& path) {
  constexpr std::size_t most_bytes = std::size_t{1} << 28;
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ExitCode::no_input, path + ": cannot be opened", errno_text(errno));
  std::vector<std::string> names;
  std::size_t bytes = 0;
  for (std::string line; std::getline(in, line);) {
    bytes += line.size();
    if (line.find('\0') != std::string::npos || bytes > most_bytes)
      throw Error(ExitCode::data, path + ": not a text file of names", "",
                  "name a dataset inside an HDF5 file by FILE.h5:/dataset");
    names.push_back(trimmed(line));
  }
  if (in.bad()) throw Error(ExitCode::no_input, path + ": cannot be read", errno_text(errno));
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (!names.empty() && names[0].starts_with(byte_order_mark)) names[0].erase(0, byte_order_mark.size());
  while (!names.empty() && names.back().empty()) names.pop_back();
  if (names.empty()) throw Error(ExitCode::data, path + ": holds no names");
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i].empty())
      throw Error(ExitCode::data, path + ": line " + std::to_string(i + 1) + " is empty",
                  "each line is one feature's name");
  return names;
}

}  // namespace h5score::base

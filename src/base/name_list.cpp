// Reading of lists of names.
#include "h5score/base/name_list.hpp"

#include "h5score/base/error.hpp"
#include "h5score/base/text_file.hpp"

#include <sstream>
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
  constexpr u64 most_bytes = u64{1} << 28;
  std::istringstream in(read_text_file(path, most_bytes, "name a dataset inside an HDF5 file by FILE.h5:/dataset"));
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) names.push_back(trimmed(line));
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

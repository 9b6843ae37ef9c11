// Reading of small text files, which may be devices without an end.
#include "h5score/base/text_file.hpp"

#include "h5score/base/error.hpp"

#include <array>
#include <cerrno>
#include <fstream>

namespace h5score::base {

std::string read_text_file(const std::string& path, u64 most_bytes, const std::string& suggestion) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(ExitCode::no_input, path + ": cannot be read", errno_text(errno));
  std::string text;
  std::array<char, 1 << 16> piece;
  errno = 0;
  while (in) {
    in.read(piece.data(), piece.size());
    text.append(piece.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > most_bytes || text.find('\0', text.size() - static_cast<std::size_t>(in.gcount())) != text.npos)
      throw Error(ExitCode::data, path + ": not a text file",
                  "it has zero bytes, or more than " + std::to_string(most_bytes >> 20) + " MiB", suggestion);
  }
  if (in.bad())  // a folder is no input; else a disk has failed
    throw Error(errno == EISDIR ? ExitCode::no_input : ExitCode::io, path + ": cannot be read", errno_text(errno));
  return text;
}

}  // namespace h5score::base
